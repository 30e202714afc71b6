"""One kernel for all the behaviours in a module, alone or beside a second client that works on it.

Each module runs with each kind of kernel, alone and accompanied (most with LONG_TESTS=1 only), on one loop.
What a behaviour breaks, such as a kernel that dies of an interrupt, is mended before the next.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from jupyter_kernel_mgmt import Execution, Kernel, KernelState, launch

from .._kinds import BASH, DENO, ECHO, IPYKERNEL6, IR, PYTHON3, XEUS, Kind, in_long_form, require
from .._second_client import Beside, Nobody
from .._world import World, new_world, nothing_stays_behind

GUARD = 20.0

SETTINGS = [
    pytest.param((kind, accompanied), id=f"{kind}-{'beside another' if accompanied else 'alone'}")
    for kind in (PYTHON3, IPYKERNEL6, BASH, XEUS, IR, DENO, ECHO)
    for accompanied in (False, True)
]


SHORT_FORM = [(PYTHON3, False), (PYTHON3, True), *((kind, False) for kind in (XEUS, DENO, ECHO))]
"""What is tested without LONG_TESTS=1: kernels that start soon, and one of them beside another client."""


@dataclass(frozen=True)
class Shared:
    """What the behaviours of a module have in common."""

    kernel: Kernel
    beside: Beside | Nobody
    tasks: int


@pytest.fixture(scope="module", params=SETTINGS)
def setting(request: pytest.FixtureRequest) -> tuple[Kind, bool]:
    """A kind of kernel, and whether there is a second client."""
    kind, accompanied = request.param
    in_long_form((kind, accompanied) in SHORT_FORM)
    require(kind.kernel_type)
    return kind, accompanied


@pytest.fixture(scope="module")
def kind(setting: tuple[Kind, bool]) -> Kind:
    """The kind of kernel."""
    return setting[0]


@pytest.fixture(scope="module", autouse=True)
def world(setting: tuple[Kind, bool], short_directory: Path) -> Iterator[World]:
    """A world for each kernel."""
    with pytest.MonkeyPatch.context() as monkeypatch, new_world(short_directory, monkeypatch) as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def loop() -> asyncio.AbstractEventLoop:
    """The loop of a module, which has descriptors of its own."""
    return asyncio.get_running_loop()


@pytest.fixture(scope="module", autouse=True)
def nothing_left(loop: asyncio.AbstractEventLoop, world: World) -> Iterator[None]:
    """Nothing stays behind when the kernel is closed and the second client has left."""
    with nothing_stays_behind(world):
        yield


@pytest.fixture
def nothing_runs_on() -> None:
    """Looked at by `kernel`, for the loop that is used here."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(setting: tuple[Kind, bool], nothing_left: None, world: World) -> AsyncIterator[Shared]:
    """The kernel, and the second client where there is one."""
    kind, accompanied = setting
    async with launch(kind.kernel_type) as kernel:
        with ExitStack() as stack:
            beside: Beside | Nobody = Nobody()
            if accompanied:
                beside = stack.enter_context(Beside.at_work(kernel.connection_file, kind))
                await beside.until_checked()
            yield Shared(kernel, beside, len(asyncio.all_tasks()))
    assert asyncio.all_tasks() == {asyncio.current_task()}
    for left in [path for pattern in kind.litter for path in world.temporary.glob(pattern)]:
        shutil.rmtree(left)  # the kernel's own; killed, it could not clear up


@pytest_asyncio.fixture(loop_scope="module")
async def kernel(shared: Shared, kind: Kind, gate: Path) -> AsyncIterator[Kernel]:
    """The kernel, ready and idle. Afterwards it is again, no task is left, and the second client is well."""
    kernel, beside = shared.kernel, shared.beside
    async with AsyncExitStack() as stack:
        if kind.mixes_clients:
            await stack.enter_async_context(beside.at_rest())  # it works in between
        yield kernel
    gate.touch()
    kernel.client.stdin = None
    if kernel.state is not KernelState.READY:
        await _restart(shared)
    try:
        async with asyncio.timeout(GUARD):
            async with beside.at_rest():
                assert (await kernel.execute(kind.hello)).stdout.strip() == "hello"
                assert len(asyncio.all_tasks()) <= shared.tasks, asyncio.all_tasks()
            await beside.until_checked()
        assert not beside.problems
    except BaseException:
        beside.problems.clear()
        await _restart(shared)  # for those that come after
        raise


async def _restart(shared: Shared) -> None:
    await shared.kernel.restart()
    await shared.beside.begin_anew()


@pytest.fixture
def beside(shared: Shared) -> Beside | Nobody:
    """The second client, or a stand-in that does nothing."""
    return shared.beside


@pytest.fixture
def restart(shared: Shared) -> Callable[[], Awaitable[None]]:
    """Restart the kernel, for the second client too."""
    return lambda: _restart(shared)


@pytest.fixture
def gate(world: World, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file that does not exist: the code `Kind.gated` ends when it does."""
    path = world.other / f"gate-{abs(hash(request.node.name))}"
    path.unlink(missing_ok=True)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def run_gated(
    kernel: Kernel, kind: Kind, gate: Path, run_until: Callable[..., Awaitable[Execution]]
) -> Callable[[], Awaitable[Execution]]:
    """Run code that has printed "started" and ends, with "ended", when the gate is opened."""
    return lambda: run_until(kernel, kind.gated % gate)
