"""What stays of kernels whose application is killed, or that leave their own group: nothing."""

import os
import signal
import subprocess
import sys

import pytest

from jupyter_kernel_mgmt import launch

from ._kinds import require

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks for strays in /proc")

APPLICATION = """
import asyncio, os, sys, time
from jupyter_kernel_mgmt import launch

CODE = '''
import subprocess
plain = subprocess.Popen(["sleep", "600"])
stray = subprocess.Popen(["sleep", "600"], start_new_session=%s)
'''

async def main(types, count):
    launches = [launch(types[n % len(types)], transport=sys.argv[2]) for n in range(count)]
    kernels = await asyncio.gather(*launches)
    for number, kernel in enumerate(kernels):
        if "python" in kernel.kernel_type or "kernel" in kernel.kernel_type:
            assert (await kernel.execute(CODE % (number == 0))).status == "ok"
    if os.fork() == 0:  # a worker that holds whatever this process has open
        time.sleep(600)
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(sys.argv[1].split(","), int(sys.argv[3])))
"""


def begin(output, *arguments):
    """The application, which writes "ready" when it is."""
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", APPLICATION, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            start_new_session=True,
        )


def is_the_applications(line):
    return "launches = [" in line


@pytest.mark.parametrize(
    ("types", "transport", "count"),
    [("pyimport/kernel", "auto", 10), ("pyimport/kernel,xpython", "tcp", 2)],
    ids=["ten over ipc", "over tcp"],
)
async def test_when_an_application_is_killed_its_kernels_and_all_they_started_end(
    descendants, eventually, world, types, transport, count
):
    """Children in sessions of their own too, though a worker it forked off still holds what it had open."""
    for kernel_type in types.split(","):
        require(kernel_type)
    output = world.other / "output"
    with begin(output, types, transport, str(count)) as application:
        await eventually(lambda: output.read_text() == "ready\n" or application.poll() is not None)
        assert len([line for line in descendants().values() if "sleep 600" in line]) >= count
        application.kill()
    await eventually(lambda: all(map(is_the_applications, descendants().values())))
    await eventually(lambda: world.files() == [])
    (worker,) = descendants()
    os.kill(worker, signal.SIGKILL)
    await eventually(lambda: not descendants())


async def test_children_that_left_the_group_end_with_their_kernel(ipykernel, descendants, eventually):
    """However it ends: closed or killed."""
    code = "import subprocess; p = subprocess.Popen(['sleep', '600'], start_new_session=True)"
    async with launch(ipykernel) as kernel:
        await kernel.execute(code)
        assert any("sleep" in line for line in descendants().values())
    assert not any("sleep" in line for line in descendants().values())
    async with launch(ipykernel) as kernel:
        await kernel.execute(code)
        await kernel.manager.kill()
        await kernel.wait()
        await eventually(lambda: not any("sleep" in line for line in descendants().values()))


async def test_when_the_guard_is_killed_another_takes_over(descendants, eventually):
    """And the kernels run on."""
    async with launch("pyimport/kernel") as kernel:
        (guard,) = [pid for pid, line in descendants().items() if "far_end" in line]
        os.kill(guard, signal.SIGKILL)
        await eventually(
            lambda: [pid for pid, line in descendants().items() if "far_end" in line and pid != guard]
        )
        assert (await kernel.execute("6 * 7")).text == "42"
        await kernel.execute(
            "import subprocess; p = subprocess.Popen(['sleep', '600'], start_new_session=True)"
        )
    assert not descendants()
