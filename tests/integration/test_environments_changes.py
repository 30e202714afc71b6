"""Real environments that come, change and go, as a finder's stream of changes tells it."""

import asyncio
import shutil
import sys

import pytest

from jupyter_kernel_mgmt import KernelFinder

from ._made_environments import make, provider_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layouts made here are POSIX's")

GUARD = 30.0


async def test_what_comes_changes_and_goes_is_told(directory):
    """A new environment, an ipykernel that is installed into it, and its deletion."""
    stays = make("venv", directory)
    async with asyncio.timeout(GUARD), KernelFinder([provider_of(directory)]) as finder:
        changes = finder.changes()
        assert [name async for name, _ in finder.find_kernels()] == [f"environments/{stays.kernel_type}"]
        finder.start_refresh(0.02)

        made = await asyncio.to_thread(make, "virtualenv", directory, ipykernel=False)
        name = f"environments/{made.kernel_type}"
        told = await anext(changes)
        assert (told.kind, told.kernel_type) == ("added", name)
        # It may have been seen while it was being made, and be changed some times.
        [packages] = made.prefix.glob("lib/python*/site-packages")
        (packages / "ipykernel-7.0.0.dist-info").mkdir()
        while told.info.obstacle:
            told = await anext(changes)
            assert (told.kind, told.kernel_type) == ("changed", name)

        await asyncio.to_thread(shutil.rmtree, made.prefix)
        while told.kind != "removed":
            told = await anext(changes)
            assert told.kernel_type == name
