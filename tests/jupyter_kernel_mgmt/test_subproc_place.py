"""What a kernel has on the disk: private while it is there, gone with the last holder."""

import json
import logging
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import LaunchError
from jupyter_kernel_mgmt.subproc.addresses import port_was_taken, reserve
from jupyter_kernel_mgmt.subproc.place import Place, runtime_directory
from jupyter_kernel_mgmt.subproc.transports import Choice
from jupyter_protocol import CHANNELS, ConnectionInfo, KernelSockets

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and ipc are POSIX")

IPC = Choice("ipc", "a test wants it")
TCP = Choice("picked-ports", "a test wants it")


async def create(kernel_id: str, kernel_name: str, choice: Choice) -> Place:
    """A place with its file, as the launcher makes it."""
    place = Place.create(kernel_id, kernel_name, choice)
    return await written(place)


async def hold_again(place: Place) -> None:
    place.hold_again()
    await written(place)


async def written(place: Place) -> Place:
    try:
        place.write()
    except BaseException:
        await place.release()
        raise
    return place


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def socket_paths(info: ConnectionInfo) -> list[Path]:
    return [Path(info.url(channel).removeprefix("ipc://")) for channel in CHANNELS]


@pytest.fixture(autouse=True)
def sockets(jupyter_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where directories for sockets are made: empty before and after each test."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)
        assert list(Path(directory).iterdir()) == []


@pytest.mark.parametrize("choice", [IPC, TCP], ids=["ipc", "tcp"])
async def test_the_connection_file_says_all_and_is_for_its_owner_only(
    choice: Choice, jupyter_home: Path
) -> None:
    """Its name has the kernel's id, and its directory is private too where we made it."""
    place = await create("1234", "python3", choice)

    assert place.connection_file == jupyter_home / "runtime" / "kernel-1234.json"
    assert ConnectionInfo.load(place.connection_file) == place.connection_info
    assert place.connection_info.kernel_name == "python3"
    assert place.connection_info.transport == choice.transport
    assert mode(place.connection_file) == 0o600
    assert mode(place.connection_file.parent) == 0o700
    await place.release()


async def test_a_runtime_directory_that_is_there_is_used_as_it_is(jupyter_home: Path) -> None:
    directory = runtime_directory()
    directory.mkdir(mode=0o755)

    place = await create("1234", "", TCP)
    assert mode(directory) == 0o755

    await place.release()
    assert list(directory.iterdir()) == []


async def test_the_directory_for_sockets_is_private_and_a_kernel_can_bind_there(sockets: Path) -> None:
    """All five sockets are in it, and nothing else is in its parent."""
    place = await create("1234", "", IPC)
    (directory,) = sockets.iterdir()

    assert mode(directory) == 0o700
    assert {path.parent for path in socket_paths(place.connection_info)} == {directory}
    async with KernelSockets(place.connection_info):
        assert sorted(directory.iterdir()) == sorted(socket_paths(place.connection_info))
    await place.release()


async def test_two_places_have_nothing_in_common() -> None:
    """Neither keys nor addresses nor files."""
    first, second = await create("1", "", IPC), await create("2", "", IPC)

    assert first.connection_info.key != second.connection_info.key
    assert first.connection_info.ip != second.connection_info.ip
    assert first.connection_file != second.connection_file
    await first.release()
    assert second.connection_file.exists()
    await second.release()


@pytest.mark.parametrize("choice", [IPC, TCP], ids=["ipc", "tcp"])
async def test_everything_goes_with_the_last_holder_and_not_before(choice: Choice, sockets: Path) -> None:
    """Also what a kernel that was killed left in the directory of the sockets."""
    place = await create("1234", "", choice)
    directories = list(sockets.iterdir())
    for directory in directories:
        (directory / "k-1").touch()
    await hold_again(place)

    await place.release()
    assert place.connection_file.exists()
    assert list(sockets.iterdir()) == directories

    await place.release()
    assert not place.connection_file.exists()
    assert list(sockets.iterdir()) == []


async def test_holding_ipc_again_keeps_key_addresses_and_file() -> None:
    place = await create("1234", "", IPC)
    info, content = place.connection_info, place.connection_file.read_text()

    await hold_again(place)

    assert place.connection_info == info
    assert place.connection_file.read_text() == content
    await place.release()
    await place.release()


async def test_holding_tcp_again_keeps_ports_that_are_free() -> None:
    place = await create("1234", "", TCP)
    info = place.connection_info

    await hold_again(place)

    assert place.connection_info == info
    await place.release()
    await place.release()


async def test_holding_tcp_again_renews_ports_that_are_taken_and_keeps_the_key() -> None:
    """The file then says the new ones, and is as private as before."""
    place = await create("1234", "python3", TCP)
    before = place.connection_info
    async with KernelSockets(ConnectionInfo(**{f"{c}_port": before.port(c) for c in CHANNELS})):
        await hold_again(place)

        after = place.connection_info
        assert not {after.port(c) for c in CHANNELS} & {before.port(c) for c in CHANNELS}
        assert not port_was_taken(after)
    assert (after.key, after.kernel_name) == (before.key, "python3")
    assert ConnectionInfo.load(place.connection_file) == after
    assert mode(place.connection_file) == 0o600
    await place.release()
    await place.release()


async def test_holding_again_puts_a_file_back_that_somebody_removed() -> None:
    """Cleaners of temporary directories do that."""
    place = await create("1234", "", IPC)
    place.connection_file.unlink()

    await hold_again(place)

    assert ConnectionInfo.load(place.connection_file) == place.connection_info
    await place.release()
    await place.release()


async def test_what_is_gone_cannot_be_held_again() -> None:
    """Else a process would be started without anything where it was told to be."""
    place = await create("1234", "", IPC)
    await place.release()

    with pytest.raises(LaunchError, match="previous process are gone"):
        await hold_again(place)

    assert not place.connection_file.exists()


async def test_holding_again_in_vain_counts_no_holder() -> None:
    """The one before still takes everything with it."""
    place = await create("1234", "", IPC)
    place.connection_file.unlink()
    place.connection_file.mkdir()
    with pytest.raises(LaunchError, match="cannot be written"):
        await hold_again(place)
    place.connection_file.rmdir()

    await place.release()


@pytest.mark.parametrize("choice", [IPC, TCP], ids=["ipc", "tcp"])
async def test_a_runtime_directory_that_cannot_be_written_is_named_and_nothing_is_left(
    choice: Choice, sockets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says which file, why, and what to do."""
    (tmp_path / "file").touch()
    directory = tmp_path / "file" / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(directory))

    with pytest.raises(LaunchError) as caught:
        await create("1234", "", choice)

    text = str(caught.value)
    assert f"the connection file {directory / 'kernel-1234.json'} cannot be written: Not a directory" in text
    assert f"make {directory} writable, or set JUPYTER_RUNTIME_DIR" in text
    assert isinstance(caught.value.__cause__, OSError)
    assert list(sockets.iterdir()) == []


async def test_sockets_that_have_no_place_are_a_launch_error(
    sockets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not an error of the operating system that nobody expects."""
    gone = tmp_path / "gone"
    monkeypatch.setattr("jupyter_kernel_mgmt.subproc.place.socket_directory", lambda: gone)

    with pytest.raises(LaunchError, match=str(gone)):
        await create("1234", "", IPC)

    assert not (runtime_directory() / "kernel-1234.json").exists()


async def test_what_cannot_be_removed_is_logged_and_keeps_nothing_else(
    sockets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Releasing never raises: it happens while other things end."""
    place = await create("1234", "", IPC)
    place.connection_file.unlink()
    place.connection_file.mkdir()

    await place.release()

    assert list(sockets.iterdir()) == []
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(place.connection_file) in record.getMessage()


async def test_what_is_gone_already_is_no_problem(sockets: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At worst there is a line in the log."""
    place = await create("1234", "", IPC)
    place.connection_file.unlink()
    next(sockets.iterdir()).rmdir()

    await place.release()

    assert [record for record in caplog.records if record.levelno > logging.WARNING] == []


async def test_the_key_is_in_the_file_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    """No `repr`, no log."""
    caplog.set_level(logging.DEBUG)
    place = await create("1234", "", IPC)
    key = json.loads(place.connection_file.read_text())["key"]

    assert len(key) >= 32
    assert key not in repr(place) + repr(place.connection_info) + caplog.text
    await place.release()


@pytest.mark.parametrize(("way", "told"), [("own-ports", {"hb"}), ("handshake", set())])
async def test_a_kernel_that_chooses_its_ports_gets_none(way: Any, told: set[str]) -> None:
    """But that which ipykernel would race for. The next process keeps what the first one chose."""
    place = await create("1234", "", Choice(way, "a test wants it"))
    assert {channel for channel in CHANNELS if place.connection_info.port(channel)} == told
    reservation, addresses = reserve(CHANNELS)
    reservation.close()
    chosen = ConnectionInfo(**addresses, key=place.connection_info.key)
    place.connection_info = chosen

    await hold_again(place)

    assert place.connection_info.key == chosen.key
    assert place.connection_info == chosen
    await place.release()
    await place.release()


async def test_a_place_may_have_keys_to_encrypt_with() -> None:
    """In its file, for its owner only, and nowhere in what it says of itself."""
    place = Place.create("1234", "", TCP, curve=True)
    info = (await written(place)).connection_info
    assert info.curve_publickey
    assert info.curve_secretkey
    assert len(info.curve_publickey) == len(info.curve_secretkey) == 40
    assert ConnectionInfo.load(place.connection_file) == info
    assert info.curve_secretkey not in repr(info)
    await hold_again(place)
    assert place.connection_info.curve_secretkey == info.curve_secretkey
    await place.release()
    await place.release()
