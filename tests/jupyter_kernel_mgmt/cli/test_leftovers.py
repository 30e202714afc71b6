import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.cli.leftovers import (
    DAY,
    Answer,
    Leftover,
    check_leftovers,
    find_leftovers,
    is_local,
    is_shared,
    remove,
)
from jupyter_protocol import CHANNELS, ConnectionInfo

FILE = Path("/run/kernel-1.json")
DEAD: list[Answer] = ["refused"] * 5


def connection(directory: Path, name: str = "kernel-1.json", *, age: float = 0, **fields: object) -> Path:
    file = directory / name
    ConnectionInfo(**fields).write(file)  # type: ignore[arg-type]
    os.utime(file, (time.time() - age,) * 2)
    return file


def free_ports(count: int) -> list[int]:
    """Ports at which nobody listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def addresses(ports: Sequence[int]) -> dict[str, int]:
    return {f"{channel}_port": port for channel, port in zip(CHANNELS, ports, strict=True)}


@pytest.mark.parametrize(
    ("answers", "age", "shared", "dead", "removable"),
    [
        (DEAD, 2 * DAY, False, True, True),
        (DEAD, DAY / 2, False, True, False),
        (DEAD, 2 * DAY, True, False, False),
        ([*DEAD[1:], "listens"], 2 * DAY, False, False, False),
        ([*DEAD[1:], "unknown"], 2 * DAY, False, False, False),
        ([], 2 * DAY, False, False, False),
    ],
)
def test_only_what_is_surely_dead_and_old_may_go(
    answers: list[Answer], age: float, shared: bool, dead: bool, removable: bool
) -> None:
    """Every address refuses, no other machine could be meant, and a day has passed."""
    left = Leftover(FILE, age, answers, shared)
    assert (left.dead, left.removable) == (dead, removable)


def test_what_is_said_of_them() -> None:
    """A warning for what may go, a word for what may not yet, nothing for the rest."""
    old, young = Leftover(FILE, 3 * DAY, DEAD), Leftover(FILE, 1, DEAD)
    alive = Leftover(FILE, 3 * DAY, ["listens"])
    found = check_leftovers([old, young, alive])
    assert [finding.severity for finding in found] == ["warning", "info"]
    assert "3 days old" in found[0].what
    assert "--clean" in found[0].todo
    (after,) = check_leftovers([old], removed=[FILE])
    assert (after.severity, "has been removed" in after.what) == ("info", True)


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_an_address_is_this_machines_own(ip: str) -> None:
    """Whoever else has files here."""
    assert is_local(ip)


@pytest.mark.parametrize("ip", ["10.0.0.1", "192.0.2.1", "elsewhere", ""])
def test_an_address_may_be_another_machines(ip: str) -> None:
    """Or one of ours that is not always."""
    assert not is_local(ip)


def test_file_systems_that_other_machines_share(tmp_path: Path) -> None:
    """By the nearest place where one is mounted."""
    mounts = f"/dev/x / ext4 rw 0 0\nserver:/home {tmp_path.resolve()} nfs4 rw 0 0\n"
    assert is_shared(tmp_path / "run", mounts)
    assert not is_shared(Path("/"), mounts)
    assert not is_shared(tmp_path / "run", "/dev/x / ext4 rw 0 0\n")
    assert not is_shared(tmp_path / "run", "")


async def test_kernels_that_are_gone_are_found(tmp_path: Path) -> None:
    """With their age; files of others are not looked at."""
    file = connection(tmp_path, age=2 * DAY, **addresses(free_ports(5)))
    (tmp_path / "jpserver-1.json").write_text('{"port": 8888}')
    (tmp_path / "broken.json").write_text("{")
    connection(tmp_path, "unborn.json")
    (left,) = await find_leftovers(tmp_path)
    assert (left.file, left.answers, left.age > DAY) == (file, DEAD, True)


async def test_a_kernel_that_listens_is_none(tmp_path: Path) -> None:
    """One address that takes connections is enough."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = [server.getsockname()[1], *free_ports(4)]
        connection(tmp_path, age=2 * DAY, **addresses(ports))
        (left,) = await find_leftovers(tmp_path)
    assert left.answers == ["listens", *DEAD[1:]]
    assert not left.dead


async def test_other_machines_are_not_judged(tmp_path: Path) -> None:
    """Nor asked."""
    connection(tmp_path, ip="192.0.2.1", **addresses(range(1, 6)))
    (left,) = await find_leftovers(tmp_path)
    assert set(left.answers) == {"unknown"}


@pytest.mark.skipif(sys.platform == "win32", reason="of unix sockets")
async def test_sockets_in_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone, left without a listener, or alive."""
    monkeypatch.chdir(tmp_path)  # for the sake of the length of paths
    connection(tmp_path, transport="ipc", ip="k", **addresses(range(1, 6)))
    with socket.socket(socket.AF_UNIX) as dead, socket.socket(socket.AF_UNIX) as alive:
        dead.bind("k-1")
        alive.bind("k-2")
        alive.listen()
        (left,) = await find_leftovers(tmp_path)
    assert left.answers == ["refused", "listens", "refused", "refused", "refused"]


async def test_no_directory_holds_none(tmp_path: Path) -> None:
    """It may not exist yet."""
    assert await find_leftovers(tmp_path / "none") == []


def test_removing_takes_only_what_may_go(tmp_path: Path) -> None:
    """And tells what could not be removed."""
    old, young, gone = (tmp_path / name for name in ("old", "young", "gone"))
    old.touch()
    young.touch()
    removed, findings = remove(
        Leftover(file, age, DEAD) for file, age in ((old, 2 * DAY), (young, 1), (gone, 2 * DAY))
    )
    assert removed == [old]
    assert (old.exists(), young.exists()) == (False, True)
    assert [finding.where for finding in findings] == [str(gone)]
