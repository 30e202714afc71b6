"""The base classes for managers, launchers and providers, and their blocking variants."""

import asyncio
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from traitlets import Unicode
from traitlets.config import Config, LoggingConfigurable

from jupyter_kernel_mgmt import (
    BlockingLauncherBase,
    BlockingManagerBase,
    BlockingProviderBase,
    ExitInfo,
    KernelFinder,
    KernelLauncherBase,
    KernelManagerBase,
    KernelProviderBase,
    KernelTypeInfo,
    Launched,
    LaunchRequest,
)
from jupyter_kernel_mgmt.launcherbase import launch_in_thread
from jupyter_kernel_mgmt.managerbase import missing_methods
from jupyter_kernel_mgmt.testing import FakeManager, MemoryChannels, check_manager

GUARD = 20
SIGKILL = int(getattr(signal, "SIGKILL", signal.SIGTERM))


class Signalled(KernelManagerBase):
    """Only records signals."""

    def __init__(self) -> None:
        self.signals: list[int] = []

    async def signal(self, number: int) -> None:
        self.signals.append(number)


class BlockingManager(BlockingManagerBase):
    """A kernel that is a lock; records in which threads it was called."""

    def __init__(self, kernel_id: str = "id") -> None:
        self.kernel_id = kernel_id
        self.ended = threading.Event()
        self.info = ExitInfo(0)
        self.signals: list[int] = []
        self.threads: set[threading.Thread] = set()
        self.waits = 0
        self.closed = threading.Event()

    def is_alive(self) -> bool:
        self.threads.add(threading.current_thread())
        return not self.ended.is_set()

    def wait(self) -> ExitInfo:
        self.threads.add(threading.current_thread())
        self.waits += 1
        assert self.ended.wait(GUARD)
        return self.info

    def signal(self, number: int) -> None:
        self.threads.add(threading.current_thread())
        if not self.ended.is_set():
            self.signals.append(number)
            if number != signal.SIGINT:
                self.info = ExitInfo(-number)
                self.ended.set()

    def aclose(self) -> None:
        self.threads.add(threading.current_thread())
        self.signal(SIGKILL)
        self.closed.set()


# Managers


async def test_interrupt_terminate_and_kill_are_signals_by_default() -> None:
    """A manager that can send signals needs nothing more."""
    manager = Signalled()
    await manager.interrupt()
    await manager.terminate()
    await manager.kill()

    assert manager.signals == [signal.SIGINT, signal.SIGTERM, SIGKILL]
    assert await manager.output_tail() == ""


@pytest.mark.parametrize("base", [KernelManagerBase, BlockingManagerBase])
def test_what_a_subclass_lacks_is_named(base: type) -> None:
    """Inherited methods of a middle class count as its own."""
    names = ("is_alive", "wait", "signal", "aclose")
    middle = type("Middle", (base,), {"wait": lambda self: None, "signal": lambda self, n: None})
    whole = type("Whole", (middle,), {"is_alive": lambda self: True, "aclose": lambda self: None})

    assert missing_methods(base, base, names) == list(names)
    assert missing_methods(middle, base, names) == ["is_alive", "aclose"]
    assert missing_methods(whole, base, names) == []


async def test_a_blocking_manager_runs_in_daemon_threads() -> None:
    """Every method, and none on the loop."""
    blocking = BlockingManager("the id")
    manager = blocking.as_async()
    assert manager.kernel_id == "the id"
    assert await manager.is_alive() is True
    await manager.interrupt()
    await manager.terminate()
    assert await manager.wait() == ExitInfo(-signal.SIGTERM)
    assert await manager.is_alive() is False
    await manager.kill()
    await manager.aclose()

    assert blocking.signals == [signal.SIGINT, signal.SIGTERM]
    assert threading.main_thread() not in blocking.threads
    assert all(thread.daemon for thread in blocking.threads)


async def test_a_blocking_wait_is_called_once_for_all_who_wait() -> None:
    """Cancelled waiters, several, and those who come after the end."""
    blocking = BlockingManager()
    manager = blocking.as_async()
    waiting = [asyncio.create_task(manager.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    await manager.kill()
    infos = [await task for task in waiting[1:]]
    infos.append(await manager.wait())
    await manager.aclose()

    assert infos == [ExitInfo(-SIGKILL)] * 3
    assert blocking.waits == 1
    assert waiting[0].cancelled()


async def test_a_blocking_manager_keeps_the_promises_of_a_manager() -> None:
    """All that the conformance check looks at."""

    async def factory() -> BlockingManagerBase:
        return BlockingManager()

    await check_manager(factory, timeout=GUARD)


async def test_a_blocking_close_that_is_cancelled_goes_on() -> None:
    """Its thread releases everything all the same."""
    blocking = BlockingManager()
    closing = asyncio.create_task(blocking.as_async().aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])

    assert await asyncio.to_thread(blocking.closed.wait, GUARD)


# Launchers and abandoned launches


class BlockingLauncher(BlockingLauncherBase):
    """Launches once it is let go."""

    def __init__(self, manager: Any) -> None:
        self.manager = manager
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def launch(self, request: LaunchRequest) -> Launched:
        self.entered.set()
        assert self.let_go.wait(GUARD)
        return Launched(channels=MemoryChannels(), manager=self.manager)


async def test_a_blocking_launcher_launches_in_a_thread() -> None:
    """And what it launched comes back."""
    blocking = BlockingManager()
    launcher = BlockingLauncher(blocking)
    launcher.let_go.set()
    launched = await launcher.as_async().launch(LaunchRequest())

    assert isinstance(launcher.as_async(), KernelLauncherBase)
    assert launched.manager is not None
    await launched.manager.aclose()
    assert blocking.closed.is_set()


async def test_an_abandoned_launch_is_closed_when_it_comes_back() -> None:
    """The launch cannot be stopped in its thread; what it started is ended at once."""
    blocking = BlockingManager()
    launcher = BlockingLauncher(blocking)
    task = asyncio.create_task(launcher.as_async().launch(LaunchRequest()))
    assert await asyncio.to_thread(launcher.entered.wait, GUARD)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    launcher.let_go.set()

    assert await asyncio.to_thread(blocking.closed.wait, GUARD)


async def test_an_abandoned_launch_with_an_asynchronous_manager_is_closed_on_the_loop() -> None:
    """Where such a manager belongs."""
    manager = FakeManager("id")
    launcher = BlockingLauncher(manager)
    task = asyncio.create_task(launch_in_thread(lambda: launcher.launch(LaunchRequest())))
    assert await asyncio.to_thread(launcher.entered.wait, GUARD)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    launcher.let_go.set()
    async with asyncio.timeout(GUARD):
        await manager.wait()

    assert manager.closed


# Providers


class Complete(KernelProviderBase):
    id = "complete"

    def find_kernels(self) -> Iterator[tuple[str, KernelTypeInfo]]:
        yield "one", KernelTypeInfo(display_name="One", language="none")

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        return Launched(channels=MemoryChannels(), manager=FakeManager(request.kernel_id))


class NoId(Complete):
    id = ""


class NoLaunch(KernelProviderBase):
    id = "no-launch"
    find_kernels = Complete.find_kernels


class Nothing(KernelProviderBase):
    pass


class BlockingNothing(BlockingProviderBase):
    id = "nothing"


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        (NoId, "NoId lacks id"),
        (NoLaunch, "NoLaunch lacks launch"),
        (Nothing, "Nothing lacks find_kernels and launch and id"),
        (BlockingNothing, "BlockingNothing lacks find_kernels and launch"),
        (object, "object is neither a KernelProviderBase nor a BlockingProviderBase"),
    ],
)
def test_a_finder_names_what_a_provider_lacks(kind: Callable[[], Any], missing: str) -> None:
    """When it takes the provider, and not when somebody launches."""
    with pytest.raises(TypeError, match=missing):
        KernelFinder([kind()])


class Configured(KernelProviderBase, LoggingConfigurable):
    """A middle class that is abstract and configurable, as applications have them."""

    label = Unicode("none").tag(config=True)

    def describe(self) -> KernelTypeInfo:
        return KernelTypeInfo(display_name=self.label, language="none")


class Concrete(Configured):
    id = "configured"

    def find_kernels(self) -> Iterator[tuple[str, KernelTypeInfo]]:
        yield "one", self.describe()

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        raise NotImplementedError


async def test_providers_combine_with_configurables_through_a_middle_class() -> None:
    """No metaclass stands in the way; configuration works as ever."""
    provider = Concrete(config=Config({"Concrete": {"label": "From the config"}}))
    async with KernelFinder([provider]) as finder:
        found = [(name, info.display_name) async for name, info in finder.find_kernels()]

    assert found == [("configured/one", "From the config")]
    with pytest.raises(TypeError, match="Configured lacks find_kernels and launch and id"):
        KernelFinder([Configured()])


def test_every_base_combines_with_abstract_classes_and_configurables() -> None:
    """The metaclass of the other side wins without a conflict."""
    for base in (
        KernelManagerBase,
        BlockingManagerBase,
        KernelLauncherBase,
        BlockingLauncherBase,
        KernelProviderBase,
        BlockingProviderBase,
    ):
        assert type(base) is type

        class Middle(base, LoggingConfigurable):  # type: ignore[misc, valid-type]
            name = Unicode("x").tag(config=True)

        class Abstract(base, ABC):  # type: ignore[misc, valid-type]
            @abstractmethod
            def more(self) -> None: ...

        assert Middle().name == "x"
        with pytest.raises(TypeError, match="abstract"):
            Abstract()


class BlockingProvider(BlockingProviderBase):
    """Records its threads."""

    id = "blocking"

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.closed = 0

    def find_kernels(self) -> list[tuple[str, KernelTypeInfo]]:
        self.threads.append(threading.current_thread())
        return [("one", KernelTypeInfo(display_name="One", language="none"))]

    def launch(self, name: str, request: LaunchRequest) -> Launched:
        self.threads.append(threading.current_thread())
        request.progress("in a thread")
        return Launched(channels=MemoryChannels(), manager=BlockingManager(request.kernel_id))

    def aclose(self) -> None:
        self.threads.append(threading.current_thread())
        self.closed += 1


async def test_a_blocking_provider_runs_in_daemon_threads() -> None:
    """Finding, launching and closing."""
    provider = BlockingProvider()
    progress: list[str] = []
    request = LaunchRequest(on_progress=lambda text, fraction: progress.append(text))
    async with KernelFinder([provider]) as finder:
        assert [name async for name, _ in finder.find_kernels()] == ["blocking/one"]
        launched = await finder.launch("blocking/one", request)
        assert launched.manager is not None
        assert launched.manager.kernel_id == request.kernel_id
        await launched.manager.aclose()

    assert progress == ["in a thread"]
    assert provider.closed == 1
    assert len(provider.threads) == 3
    assert threading.main_thread() not in provider.threads
    assert all(thread.daemon for thread in provider.threads)
