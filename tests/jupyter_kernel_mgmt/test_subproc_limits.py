"""Limits on a kernel's process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_kernel_mgmt import Limits, Unsupported
from jupyter_kernel_mgmt.subproc.limits import CPU_GRACE, limit, refuse_what_cannot_be_limited

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone can limit another process")

GIB = 1024**3


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for the end of its input."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("limits", "name", "expected"),
    [
        (Limits(memory=2 * GIB), "RLIMIT_AS", (2 * GIB, 2 * GIB)),
        (Limits(cpu_time=7), "RLIMIT_CPU", (7, 7 + CPU_GRACE)),
        (Limits(open_files=50), "RLIMIT_NOFILE", (50, 50)),
    ],
)
def test_a_process_gets_its_limits(
    process: subprocess.Popen[bytes], limits: Limits, name: str, expected: tuple[int, int]
) -> None:
    """And no other ones."""
    import resource

    others = [n for n in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_NOFILE") if n != name]
    before = {other: resource.prlimit(process.pid, getattr(resource, other)) for other in others}

    limit(process.pid, limits)

    assert resource.prlimit(process.pid, getattr(resource, name)) == expected
    assert {other: resource.prlimit(process.pid, getattr(resource, other)) for other in others} == before


def test_a_process_gets_its_niceness(process: subprocess.Popen[bytes]) -> None:
    """That is, what others have before it."""
    limit(process.pid, Limits(nice=15))

    assert os.getpriority(os.PRIO_PROCESS, process.pid) == 15


def test_more_than_we_may_give_is_as_much_as_we_may(process: subprocess.Popen[bytes]) -> None:
    """A limit above the hard one of this process changes nothing."""
    import resource

    limit(process.pid, Limits(open_files=60))
    limit(process.pid, Limits(open_files=80))

    assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (60, 60)


def test_a_process_that_has_ended_is_no_error() -> None:
    """Its end is told elsewhere."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    limit(process.pid, Limits(memory=GIB, nice=15))


@pytest.mark.parametrize("name", ["memory", "cpu_time"])
def test_what_the_system_cannot_hold_is_refused(process: subprocess.Popen[bytes], name: str) -> None:
    """By its name, and as what was asked for and is not possible."""
    with pytest.raises(Unsupported, match=f"{name}={2**64}"):
        limit(process.pid, Limits(**{name: 2**64}))


def test_a_process_that_we_may_not_limit_is_refused() -> None:
    """As one that runs as somebody else; here it is we who are somebody else."""
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
                limit(os.getppid(), Limits(memory=GIB))
            else:
                limit(1, Limits(memory=GIB))
        except Unsupported as error:
            os._exit(7 if f"memory={GIB} is not allowed" in str(error) else 8)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_other_systems_refuse_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than run without them."""
    refuse_what_cannot_be_limited(Limits(nice=1))
    monkeypatch.setattr(sys, "platform", "darwin")
    refuse_what_cannot_be_limited(Limits())
    with pytest.raises(Unsupported, match="darwin"):
        refuse_what_cannot_be_limited(Limits(nice=1))


@pytest.mark.parametrize(
    "wrong", [{"memory": 0}, {"cpu_time": -1}, {"open_files": 0}, {"nice": 20}, {"nice": -21}]
)
def test_what_is_no_limit_is_refused(wrong: dict[str, Any]) -> None:
    """By its name."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)
