"""Running activation scripts to learn what they do."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import LaunchError
from jupyter_kernel_mgmt.providers.environments import scripts
from jupyter_kernel_mgmt.providers.environments.scripts import changes_of_scripts
from jupyter_kernel_mgmt.testing._residue import Residue

from ._environments import write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells are for POSIX")

GUARD = 20.0


async def changes(*files: Path, timeout: float = GUARD, **variables: str) -> dict[str, str | None]:
    return await changes_of_scripts(files, {"PATH": os.environ["PATH"], **variables}, timeout=timeout)


async def until_there(file: Path) -> str:
    async with asyncio.timeout(GUARD):
        while not (file.exists() and file.read_text()):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.005)
    return file.read_text()


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # whose parent has ended as well is reaped by whoever may do so


async def test_scripts_are_sourced_in_order_in_one_shell(tmp_path: Path) -> None:
    """What they export is told, whatever it is; what they print is not taken for it."""
    first = write(tmp_path / "first.sh", "export A='1\n2' GONE_TOO=; unset GONE; echo A=5; python=nothing\n")
    second = write(tmp_path / "it's second.sh", 'export B="$A$KEPT é"; unset GONE_TOO; local=3\n')

    found = await changes(first, second, GONE="x", KEPT="k")

    assert found == {"A": "1\n2", "B": "1\n2k é", "GONE": None}


async def test_a_script_that_changes_nothing_changes_nothing(tmp_path: Path) -> None:
    """What a shell itself adds does not count."""
    assert await changes(write(tmp_path / "a.sh", ":")) == {}


async def test_a_script_that_ends_the_shell_is_named_with_what_it_said(tmp_path: Path) -> None:
    """Kernels are not launched in half an environment."""
    script = write(tmp_path / "bad.sh", "echo no licence >&2; exit 3\n")

    with pytest.raises(LaunchError, match=r"bad\.sh ended the shell that ran them, and wrote: no licence"):
        await changes(script)


async def test_a_script_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """With all that it started, in a session of its own included."""
    pids = tmp_path / "pids"
    script = write(tmp_path / "slow.sh", f"setsid sleep 600 & echo $! $$ > {pids}; sleep 600; sleep 600\n")
    before = Residue.now()

    with pytest.raises(LaunchError, match=r"slow\.sh did not end within 1\.0 s"):
        await changes(script, timeout=1.0)

    assert not await before.wait_for_less(GUARD)
    assert not any(map(is_there, map(int, pids.read_text().split())))


async def test_what_a_script_leaves_in_the_background_is_ended_and_holds_nothing_up(tmp_path: Path) -> None:
    """Though it has inherited everything that is open."""
    pid = tmp_path / "pid"
    script = write(tmp_path / "a.sh", f"sleep 600 & echo $! > {pid}; export A=1\n")

    assert await changes(script) == {"A": "1"}
    assert not is_there(int(pid.read_text()))


async def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    """Neither the shell nor what it runs."""
    pids = tmp_path / "pids"
    script = write(tmp_path / "slow.sh", f"sleep 600 & echo $! $$ > {pids}; wait\n")
    before = Residue.now()
    task = asyncio.create_task(changes(script))
    started = await until_there(pids)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await before.wait_for_less(GUARD)
    assert not any(map(is_there, map(int, started.split())))


async def test_without_a_shell_it_is_said_that_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that has nothing."""
    monkeypatch.setattr(scripts, "SHELLS", ("no-such-shell",))

    with pytest.raises(LaunchError, match="there is no shell to run"):
        await changes(write(tmp_path / "a.sh"))
