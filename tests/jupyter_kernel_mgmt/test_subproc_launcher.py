"""From a request to a command, an environment and a process."""

import os
import string
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt import LaunchError, LaunchRequest, SubprocessLauncher, Unsupported
from jupyter_kernel_mgmt.subproc import SubprocessManager
from jupyter_kernel_mgmt.subproc.launcher import fill_in, kernel_environment, start

FIELDS = {"connection_file": "/c.json", "resource_dir": "/r", "prefix": "/p"}


@pytest.mark.parametrize(
    ("argv", "params", "expected"),
    [
        (["run", "-f", "{connection_file}"], {}, ["run", "-f", "/c.json"]),
        (["--f={connection_file}", "{prefix}/{resource_dir}"], {}, ["--f=/c.json", "/p//r"]),
        (["{colour}", "{n}"], {"colour": "red", "n": 3}, ["red", "3"]),
        (["{unknown}", "{}", "{a b}", "{{}}", "${HOME}"], {}, ["{unknown}", "{}", "{a b}", "{{}}", "${HOME}"]),
        (["{a}"], {"a": "{connection_file}"}, ["{connection_file}"]),
        (["{a}{a}"], {"a": r"\1 \g<0>"}, [r"\1 \g<0>" * 2]),
        ([], {}, []),
    ],
)
def test_places_are_filled_in(argv: list[str], params: dict[str, Any], expected: list[str]) -> None:
    """Once, and what is not known stays as it is."""
    assert fill_in(argv, FIELDS, params) == tuple(expected)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"size": 1}, "no place for 'size'; it has colour"),
        ({"connection_file": "/mine"}, "'connection_file' is filled in by the launcher"),
        ({"prefix": "/mine"}, "'prefix' is filled in by the launcher"),
    ],
)
def test_a_parameter_that_nothing_uses_is_refused_by_name(params: dict[str, Any], text: str) -> None:
    """Nothing is ignored in silence."""
    with pytest.raises(Unsupported, match=text) as caught:
        fill_in(["{colour}", "{connection_file}"], FIELDS, params)
    assert caught.value.option == "launch_params"
    with pytest.raises(Unsupported, match="it has none"):
        fill_in(["{connection_file}"], FIELDS, {"size": 1})


WORDS = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=5)


@given(st.dictionaries(WORDS.map("p_".__add__), st.text(max_size=8), max_size=4))
def test_a_value_is_put_in_exactly_as_it_is(params: dict[str, str]) -> None:
    """Whatever characters it has."""
    argv = [f"<{{{name}}}>" for name in params]

    assert fill_in(argv, FIELDS, params) == tuple(f"<{value}>" for value in params.values())


def test_the_environment_is_ours_then_the_specs_then_the_requests() -> None:
    """With references to ours replaced in the spec's alone."""
    env = kernel_environment(
        {"A": "ours", "B": "ours", "C": "ours", "PYTHONEXECUTABLE": "/x"},
        {"B": "spec of ${A}", "C": "spec", "D": "$A ${missing} $$"},
        {"C": "request", "E": "${A}"},
    )

    assert env.pop("JPY_PARENT_PID") == str(os.getpid())
    assert env == {"A": "ours", "B": "spec of ours", "C": "request", "D": "ours ${missing} $", "E": "${A}"}


def test_the_parent_is_us_whatever_the_request_says() -> None:
    """Otherwise the kernel would outlive us, or end too early."""
    env = kernel_environment({"JPY_PARENT_PID": "1"}, {"JPY_PARENT_PID": "2"}, {"JPY_PARENT_PID": "3"})

    assert env["JPY_PARENT_PID"] == str(os.getpid())


def test_what_is_inherited_stays_as_it_was() -> None:
    """The mapping given is not changed."""
    inherited = {"PYTHONEXECUTABLE": "x"}
    kernel_environment(inherited, {}, {})

    assert inherited == {"PYTHONEXECUTABLE": "x"}


@pytest.mark.parametrize(
    ("argv", "cwd", "text"),
    [
        (["no-such-program-anywhere"], None, "'no-such-program-anywhere' was not found"),
        ([sys.executable], "missing", "missing does not exist or is no directory"),
        ([sys.executable], "file", "file does not exist or is no directory"),
        (["./file"], ".", "may not be run"),
        (["bad\0name"], None, "could not be run"),
    ],
)
def test_what_cannot_be_started_says_why(tmp_path: Path, argv: list[str], cwd: str | None, text: str) -> None:
    """And leaves no descriptor open."""
    (tmp_path / "file").write_text("")
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    with pytest.raises(LaunchError, match=text) as caught:
        start(argv, env=os.environ, cwd=None if cwd is None else tmp_path / cwd)

    assert caught.value.command == tuple(argv)
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == before


async def test_a_launch_that_fails_removes_its_files(jupyter_home: Path, tmp_path: Path) -> None:
    """Connection file and socket directory."""
    for request in (LaunchRequest(), LaunchRequest(launch_params={"x": 1}), LaunchRequest(cwd=tmp_path / "no")):
        with pytest.raises((LaunchError, Unsupported)):
            await SubprocessLauncher(["no-such-program-anywhere"]).launch(request)

    assert list((jupyter_home / "runtime").iterdir()) == []


async def test_a_bad_transport_is_refused_by_name(jupyter_home: Path) -> None:
    """Before anything is written."""
    with pytest.raises(Unsupported) as caught:
        await SubprocessLauncher(["x"]).launch(LaunchRequest(transport="pigeon"))  # type: ignore[arg-type]

    assert caught.value.option == "transport"


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
async def test_the_process_gets_what_the_request_says(
    jupyter_home: Path, tmp_path: Path, transport: Any
) -> None:
    """Directory and environment, no input, output into the tail, in a session of its own."""
    if transport == "ipc" and sys.platform == "win32":
        pytest.skip("no Unix sockets here")
    code = "import os, sys; print(os.getcwd(), os.environ['A'], sys.stdin.read() == '', os.getsid(0) == os.getpid())"
    launcher = SubprocessLauncher([sys.executable, "-c", code], kernel_name="name")
    request = LaunchRequest(cwd=tmp_path, env={"A": "b"}, transport=transport)
    launched = await launcher.launch(request)
    manager = launched.manager
    assert isinstance(manager, SubprocessManager)
    try:
        assert manager.kernel_id == request.kernel_id
        assert launched.connection_info is not None
        assert launched.connection_info.transport == transport
        info = await manager.wait()
        assert info.returncode == 0
        assert info.output_tail == await manager.output_tail() == f"{tmp_path} b True True\n"
    finally:
        await manager.aclose()


async def test_a_kernel_that_follows_another_keeps_its_place(jupyter_home: Path) -> None:
    """Address, key and file; the file is gone only after both."""
    launcher = SubprocessLauncher([sys.executable, "-c", "pass"], metadata={"supported_transports": ["ipc"]})
    first = await launcher.launch(LaunchRequest())
    second = await launcher.launch(LaunchRequest(previous=first))
    try:
        assert second.connection_info == first.connection_info
        assert second.connection_file == first.connection_file
    finally:
        assert first.manager is not None
        assert second.manager is not None
        await first.manager.aclose()
        assert second.connection_file is not None
        assert second.connection_file.exists()
        await second.manager.aclose()
    assert not second.connection_file.exists()
