"""Kernels that are forked: like those started cold, and sooner."""

import os
import signal
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import (
    InterruptOutcome,
    KernelDied,
    KernelFinder,
    LaunchProgress,
    Limits,
    connect,
    launch,
)
from jupyter_kernel_mgmt.subproc.forked import ForkedManager

from ._kinds import require

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")

FACTS = """
import os, resource, signal, sys
print(os.environ.get("COLOUR"), os.getcwd(), os.nice(0), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(os.getsid(0) == os.getpid(), signal.getsignal(signal.SIGINT) is not signal.SIG_IGN)
print(sys.path)
"""


# ipykernel 7 reads what is written to 2 itself, and what it was is here:
LAST_WORDS = """
import os, sys
os.write(getattr(sys.stderr, "_original_stdstream_copy", None) or 2, b"last words")
os._exit(3)
"""


@pytest.fixture
async def finder():
    async with KernelFinder.from_entrypoints() as finder:
        yield finder


@pytest.fixture(params=["pyimport/kernel", "ipykernel6"])
def forked_type(request):
    require(request.param)
    return request.param


async def test_a_forked_kernel_is_as_it_was_asked_for(finder, forked_type, world):
    """Directory, environment, limits, session and signals are its own; the path is that of a cold one."""
    options = {
        "cwd": world.other,
        "env": {"COLOUR": "blue"},
        "limits": Limits(nice=3, open_files=300),
        "finder": finder,
    }
    said = []
    for forkserver in (False, True):
        async with launch(forked_type, forkserver=forkserver, **options) as kernel:
            assert isinstance(kernel.manager, ForkedManager) is forkserver
            said.append((await kernel.execute(FACTS)).stdout)
    assert said[0] == said[1]
    assert f"blue {world.other} 3 300" in said[0]


async def test_many_at_once_share_a_server_and_nothing_else(finder, forked_type):
    """What one knows no other knows, and each is killed alone."""
    kernels = [await launch(forked_type, finder=finder, forkserver=True) for _ in range(3)]
    try:
        for number, kernel in enumerate(kernels):
            await kernel.execute(f"kept = {number}")
        assert [(await kernel.execute("kept")).text for kernel in kernels] == ["0", "1", "2"]
        await kernels[0].manager.kill()
        assert (await kernels[0].wait()).returncode == -signal.SIGKILL
        assert (await kernels[1].execute("kept")).text == "1"
    finally:
        for kernel in kernels:
            await kernel.aclose()


async def test_interrupt_restart_and_death_are_those_of_any_kernel(finder, forked_type, run_until):
    """With exit code and the end of its output."""
    async with launch(forked_type, finder=finder, forkserver=True, transport="tcp") as kernel:
        execution = await run_until(kernel, "print('started', flush=True)\nimport time; time.sleep(600)")
        assert await execution.interrupt() is InterruptOutcome.IDLE
        assert (await execution).status == "interrupted"
        key, old = kernel.connection_info.key, kernel.manager.pid
        await kernel.restart()
        assert kernel.connection_info.key == key
        assert kernel.manager.pid != old
        with pytest.raises(KernelDied) as caught:
            await kernel.execute(LAST_WORDS)
        assert caught.value.exit_info.returncode == 3
        assert "last words" in caught.value.exit_info.output_tail
        assert not await kernel.manager.is_alive()


async def test_children_of_a_forked_kernel_end_with_it(finder, forked_type, descendants):
    """Those too that left its group."""
    async with launch(forked_type, finder=finder, forkserver=True) as kernel:
        await kernel.execute(
            "import subprocess; p = subprocess.Popen(['sleep', '600'], start_new_session=True)"
        )
        assert any("sleep" in line for line in descendants().values())
    assert not any("sleep" in line for line in descendants().values())


async def test_when_the_server_is_killed_its_kernels_are_told_dead_and_the_next_gets_a_new_one(
    finder, forked_type, descendants
):
    """With an unknown exit code, since nobody saw it."""
    async with launch(forked_type, finder=finder, forkserver=True) as kernel:
        os.kill(kernel.manager._server.agent.pid, signal.SIGKILL)
        info = await kernel.wait()
        assert info.returncode is None
        assert "agent" in info.reason
        async with launch(forked_type, finder=finder, forkserver=True) as next_one:
            assert (await next_one.execute("6 * 7")).text == "42"
            assert isinstance(next_one.manager, ForkedManager)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
async def test_the_environment_of_one_kernel_is_not_seen_in_another(finder, forked_type):
    """Neither by its code nor by who may look at its process."""
    token = {"API_TOKEN": "of-the-first"}
    async with launch(forked_type, finder=finder, forkserver=True, env=token) as first:
        assert (await first.execute("import os; os.environ['API_TOKEN']")).text == "'of-the-first'"
        async with launch(forked_type, finder=finder, forkserver=True) as second:
            assert second.manager._server is first.manager._server
            assert b"API_TOKEN" not in Path(f"/proc/{second.manager.pid}/environ").read_bytes()
            assert (await second.execute("import os; 'API_TOKEN' in os.environ")).text == "False"


async def test_a_kernel_that_is_open_keeps_its_server(forked_type):
    """Longer than the finder; nothing is left after both."""
    async with KernelFinder.from_entrypoints() as finder:
        kernel = await launch(forked_type, finder=finder, forkserver=True)
    async with kernel:
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_encryption_works_in_a_fork(finder):
    """Keys are made for each kernel; who has none gets nothing."""
    async with launch(finder=finder, forkserver=True, transport="tcp", encryption="required") as kernel:
        assert kernel.connection_info.curve_publickey
        async with connect(kernel.connection_file) as other:
            assert (await other.execute("6 * 7")).text == "42"


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"kernel_type": "xpython"}, "not ipykernel's"), ({"prefix": ("nice",)}, "prefix")],
)
async def test_what_cannot_be_forked_is_started_cold_and_the_reason_told(finder, options, reason):
    """Among the events."""
    require(options.get("kernel_type", "pyimport/kernel"))
    events = []
    async with launch(**options, finder=finder, forkserver=True, on_event=events.append) as kernel:
        assert (await kernel.execute("6 * 7")).text == "42"
        assert not isinstance(kernel.manager, ForkedManager)
    assert any(reason in event.text for event in events if isinstance(event, LaunchProgress))
