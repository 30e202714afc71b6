"""What is known of ipykernel's command line."""

import sys

import pytest

from jupyter_kernel_mgmt import Unsupported
from jupyter_kernel_mgmt.subproc.ipykernel import (
    START_IPYKERNEL,
    own_arguments,
    packer_arguments,
    started_here,
)

LAUNCHER = ("/usr/bin/python3", "-m", "ipykernel_launcher", "-f", "file")


@pytest.mark.parametrize(
    ("argv", "own"),
    [
        (LAUNCHER, ("-f", "file")),
        (("python", "-Xfrozen_modules=off", *LAUNCHER[1:]), ("-f", "file")),
        (("python3.11", "-m", "ipykernel"), ()),
        ((sys.executable, START_IPYKERNEL, "-f", "file"), ("-f", "file")),
        (("/usr/bin/env", "python3", *LAUNCHER[1:]), None),
        (("python", "-m", "bash_kernel", "-f", "file"), None),
        (("python", "-u", *LAUNCHER[1:]), None),
        (("python", "ipykernel_launcher", "-m"), None),
        (("python", "-m"), None),
        ((), None),
    ],
)
def test_its_own_arguments_follow_the_module_or_the_program(
    argv: tuple[str, ...], own: tuple[str, ...] | None
) -> None:
    """Nothing is taken for ipykernel that might be something else."""
    assert own_arguments(argv) == own


@pytest.mark.parametrize(
    ("argv", "here"),
    [
        (LAUNCHER, ("/usr/bin/python3", START_IPYKERNEL, "-f", "file")),
        (
            ("python", "-Xfrozen_modules=off", *LAUNCHER[1:]),
            ("python", "-Xfrozen_modules=off", START_IPYKERNEL, "-f", "file"),
        ),
        (("python3.11", "-m", "ipykernel"), ("python3.11", START_IPYKERNEL)),
        (("python", "-m", "bash_kernel", "-f", "file"), ("python", "-m", "bash_kernel", "-f", "file")),
        (("python", "-O", *LAUNCHER[1:]), ("python", "-O", *LAUNCHER[1:])),
        ((), ()),
    ],
)
def test_its_module_is_started_by_our_program(argv: tuple[str, ...], here: tuple[str, ...]) -> None:
    assert started_here(argv) == here
    assert started_here(here) == here


def test_a_packer_is_asked_for_in_its_own_words() -> None:
    assert packer_arguments("json", ("deno", "jupyter")) == ()
    assert packer_arguments("msgpack", LAUNCHER) == ("--Session.packer=msgpack",)


@pytest.mark.parametrize(
    ("packer", "argv", "reason"),
    [
        ("msgpack", ("deno", "jupyter"), "only ipykernel"),
        ("pickle", LAUNCHER, "neither 'json' nor 'msgpack'"),
        ("json5", LAUNCHER, "neither"),
    ],
)
def test_what_nobody_is_known_to_pack_is_refused_by_name(
    packer: str, argv: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(Unsupported, match=rf"^packer: .*{reason}"):
        packer_arguments(packer, argv)
