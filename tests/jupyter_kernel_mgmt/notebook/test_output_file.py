"""The file that a run writes."""

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_kernel_mgmt.notebook import CannotSave, InvalidNotebook, OutputInUse
from jupyter_kernel_mgmt.notebook.output_file import OutputFile

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="no lock there")


def saved(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def notebook(*sources: str) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_code_cell(source) for source in sources])


async def test_each_save_is_a_whole_notebook(tmp_path: Path) -> None:
    """And nothing else is in the directory, then and afterwards."""
    path = tmp_path / "out.ipynb"
    async with OutputFile(path) as output:
        assert await output.earlier() is None
        made = notebook("1", "2")
        await output.save(made)
        assert saved(path) == ["1", "2"]
        made.cells[1].source = "3"
        await output.save(made, [1])
        assert saved(path) == ["1", "3"]
        assert list(tmp_path.iterdir()) == [path]
    assert list(tmp_path.iterdir()) == [path]
    async with OutputFile(path) as output:
        earlier = await output.earlier()
        assert earlier is not None
        assert [cell.source for cell in earlier.cells] == ["1", "3"]


async def test_what_was_never_saved_leaves_nothing_and_changes_nothing(tmp_path: Path) -> None:
    async with OutputFile(tmp_path / "new.ipynb"):
        pass
    assert list(tmp_path.iterdir()) == []
    there = tmp_path / "there.ipynb"
    there.write_text("not a notebook")
    async with OutputFile(there) as output:
        with pytest.raises(InvalidNotebook):
            await output.earlier()
    assert there.read_text() == "not a notebook"


@posix_only
async def test_only_one_run_writes_a_file(tmp_path: Path) -> None:
    """From its first moment on and after each save; afterwards the next may."""
    path = tmp_path / "out.ipynb"
    async with OutputFile(path) as output:
        for _ in range(3):
            with pytest.raises(OutputInUse, match="being written by another run"):
                await OutputFile(path).__aenter__()
            await output.save(notebook("1"))
    async with OutputFile(path) as output:
        await output.save(notebook("2"))
    assert saved(path) == ["2"]


@posix_only
def test_the_claim_ends_with_its_process(tmp_path: Path) -> None:
    """Also with one that was killed, which leaves what it had saved."""
    path = tmp_path / "out.ipynb"
    program = (
        "import asyncio, os, signal\n"
        "from pathlib import Path\n"
        "from nbformat.v4 import new_notebook\n"
        "from jupyter_kernel_mgmt.notebook.output_file import OutputFile\n"
        "async def main():\n"
        f"    async with OutputFile(Path({str(path)!r})) as output:\n"
        "        await output.save(new_notebook())\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9

    async def claim() -> None:
        async with OutputFile(path) as output:
            assert await output.earlier() is not None

    asyncio.run(claim())


async def test_what_cannot_be_written_keeps_what_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, in the middle of a save: the file stays whole and no part of another is left."""
    path = tmp_path / "out.ipynb"
    async with OutputFile(path) as output:
        await output.save(notebook("1"))

        def full(descriptor: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(CannotSave, match=r"No space left on device\); it has what was saved before"):
                await output.save(notebook("2"))
        assert (saved(path), list(tmp_path.iterdir())) == (["1"], [path])
        await output.save(notebook("3"))
    assert saved(path) == ["3"]


@pytest.mark.parametrize("place", ["missing/out.ipynb", "file/out.ipynb", ""])
async def test_a_place_that_cannot_be_written_is_told_at_once(place: str, tmp_path: Path) -> None:
    """No such directory, a file for a directory, a directory for a file."""
    (tmp_path / "file").touch()
    with pytest.raises(CannotSave, match="cannot be written"):
        await OutputFile(tmp_path / place).__aenter__()


async def test_a_cancelled_save_is_done_all_the_same(tmp_path: Path) -> None:
    """Leaving waits for it."""
    path = tmp_path / "out.ipynb"
    async with OutputFile(path) as output:
        task = asyncio.create_task(output.save(notebook("1")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    assert saved(path) == ["1"]


@posix_only
async def test_a_link_stays_a_link_and_a_mode_stays(tmp_path: Path) -> None:
    """Whoever made the file so meant it."""
    target, link = tmp_path / "target.ipynb", tmp_path / "link.ipynb"
    target.write_text("")
    target.chmod(0o640)
    link.symlink_to(target.name)
    async with OutputFile(link) as output:
        await output.save(notebook("1"))
        await output.save(notebook("2"))
    assert link.is_symlink()
    assert saved(target) == ["2"]
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.ipynb", "target.ipynb"]


async def test_what_a_claim_that_was_killed_left_is_no_earlier_run(tmp_path: Path) -> None:
    """An empty file: nothing had been saved."""
    path = tmp_path / "out.ipynb"
    path.touch()
    async with OutputFile(path) as output:
        assert await output.earlier() is None
        await output.save(notebook("1"))
    assert saved(path) == ["1"]


@posix_only
async def test_a_cancelled_claim_leaves_no_lock_and_no_file(tmp_path: Path) -> None:
    """Whenever it is cancelled."""
    for turns in range(5):
        path = tmp_path / f"{turns}.ipynb"
        task = asyncio.create_task(OutputFile(path).__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            await task.result().__aexit__(None, None, None)
        assert not path.exists()
        async with OutputFile(path):
            pass


@posix_only
async def test_a_link_in_the_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    """Somebody else may have put it into a directory that is shared."""
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    (tmp_path / ".out.ipynb.part").symlink_to(victim)
    async with OutputFile(tmp_path / "out.ipynb") as output:
        with pytest.raises(CannotSave):
            await output.save(notebook("1"))
    assert victim.read_text() == "as it was"
