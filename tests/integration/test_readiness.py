"""Launching works each time, with no second try by the caller."""

import os

import pytest

from jupyter_kernel_mgmt import KernelState, launch

LONG = bool(os.environ.get("LONG_TESTS"))
TIMES = 50 if LONG else 3
"""How often: too rarely to find a race, unless LONG_TESTS is set."""


@pytest.mark.timeout(600 if LONG else 120)
@pytest.mark.parametrize("transport", ["ipc", "tcp"])
async def test_every_launch_ends_ready_and_working(ipykernel, transport):
    """A kernel that is ready answers at once, and its output arrives."""
    for number in range(TIMES):
        async with launch(ipykernel, transport=transport, startup_timeout=30) as kernel:
            assert kernel.state is KernelState.READY
            assert kernel.connection_info.transport == transport
            result = await kernel.execute(f"print({number})")
            assert (result.status, result.stdout) == ("ok", f"{number}\n")
