"""What a fork server can do, and which one serves which kernel."""

from pathlib import Path

import pytest

from jupyter_kernel_mgmt import LaunchError
from jupyter_kernel_mgmt.subproc.forkserver import SERVERS, Forkable, ForkServers, forkable

FILE = ("-f", "{connection_file}")


@pytest.mark.parametrize(
    ("argv", "python"),
    [
        (("/usr/bin/python3", "-m", "ipykernel_launcher", *FILE), "/usr/bin/python3"),
        (("/env/bin/python", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", *FILE), "/env/bin/python"),
        (("/env/bin/python", "-m", "ipykernel", *FILE), "/env/bin/python"),
    ],
)
def test_what_runs_ipykernel_can_be_forked(argv: tuple[str, ...], python: str) -> None:
    """By its own interpreter, with the same arguments."""
    assert forkable(argv, ()) == Forkable(python, FILE)


@pytest.mark.parametrize(
    ("argv", "prefix", "reason"),
    [
        (("/usr/bin/python3", "-m", "bash_kernel", *FILE), (), "not ipykernel's"),
        (("/usr/bin/python3", "-E", "-m", "ipykernel_launcher", *FILE), (), "not ipykernel's"),
        (("python3", "-m", "ipykernel_launcher", *FILE), (), "not ipykernel's"),
        (("/usr/bin/R", "-m", "ipykernel_launcher", *FILE), (), "not ipykernel's"),
        (("/usr/bin/python3",), (), "not ipykernel's"),
        (("/usr/bin/python3", "-m"), (), "not ipykernel's"),
        (("/usr/bin/python3", "-m", "ipykernel_launcher", *FILE), ("nice",), "prefix"),
    ],
)
def test_what_cannot_be_forked_has_a_reason(
    argv: tuple[str, ...], prefix: tuple[str, ...], reason: str
) -> None:
    """Which is what the application is told."""
    why = forkable(argv, prefix)

    assert isinstance(why, str)
    assert reason in why


async def test_kernels_that_differ_in_what_a_fork_can_change_share_a_server() -> None:
    """Others have one of their own, up to a number."""
    servers = ForkServers()
    first = servers.get("/usr/bin/python3", {"A": "1"})

    assert servers.get("/usr/bin/python3", {"A": "2", "B": "3"}) is first
    assert servers.get("/env/bin/python", {"A": "1"}) is not first
    for number in range(1, SERVERS):
        assert servers.get("/usr/bin/python3", {"PYTHONPATH": f"/{number}"}) is not first
    with pytest.raises(LaunchError, match="PYTHONPATH"):
        servers.get("/usr/bin/python3", {"PYTHONPATH": "/more"})


async def test_a_server_does_not_hold_what_is_one_kernels_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others that it forks would show it."""
    monkeypatch.setenv("OURS", "1")
    env = ForkServers().get("/usr/bin/python3", {"API_TOKEN": "secret", "PYTHONPATH": "/path"}).env

    assert "API_TOKEN" not in env
    assert (env["OURS"], env["PYTHONPATH"]) == ("1", "/path")


async def test_an_interpreter_that_is_not_there_is_a_launch_error() -> None:
    """So that the launcher can start the kernel in another way, and say why."""
    servers = ForkServers()
    server = servers.get(str(Path("/no/such/python")), {})
    with pytest.raises(LaunchError, match="/no/such/python"):
        await server.ready()
    await servers.release(server)
    await servers.aclose()
