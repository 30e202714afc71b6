"""A kernel that the system kills because memory ran out is told as that."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ._kinds import PYIMPORT, require

GUARD = 60
PLACES = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))
LIMIT = 300 * 2**20
"""Bytes for an application and its kernel, which then takes more."""

APPLICATION = """
import asyncio, os, sys
from pathlib import Path
from jupyter_kernel_mgmt import KernelDied, launch

async def main():
    async with launch(forkserver=sys.argv[2] == "forked") as kernel:
        try:
            await kernel.execute("taken = []\\nwhile True: taken.append(bytearray(b'x' * 2**25))")
        except KernelDied as died:
            print(died.exit_info)

Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
asyncio.run(main())
"""


@pytest.fixture
def limited() -> Iterator[Path]:
    """A control group with little memory."""
    for parent, name in (
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        ("/sys/fs/cgroup", "memory.max"),
    ):
        group = Path(parent) / f"test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / name).write_text(str(LIMIT))
            yield group
        except OSError as error:
            pytest.skip(f"memory cannot be limited here: {error}")
        finally:
            group.rmdir()
        return
    pytest.skip("control groups cannot be made here")


@pytest.mark.parametrize("how", ["cold", "forked"])
def test_the_reason_of_the_death_is_told(how: str, limited: Path) -> None:
    """With the signal, whoever started its process."""
    require(PYIMPORT.kernel_type)
    argv = [sys.executable, "-c", APPLICATION, str(limited), how]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=GUARD)
    assert done.stdout.strip() == "ended by SIGKILL (the system killed it because memory ran out)", (
        done.stderr
    )
