"""The conformance checks pass what is good, and say of each broken promise what to do."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    BlockingProviderBase,
    ExitInfo,
    KernelManagerBase,
    KernelProviderBase,
    KernelTypeInfo,
    Launched,
    LaunchError,
    LaunchRequest,
    NoSuchKernel,
    Unsupported,
)
from jupyter_kernel_mgmt.testing import (
    FakeManager,
    FakeProvider,
    MemoryChannels,
    check_manager,
    check_provider,
)
from jupyter_kernel_mgmt.testing._residue import Residue

SHORT = 0.2


async def test_the_fakes_keep_the_promises() -> None:
    """They are what others are tested with."""
    await check_provider(FakeProvider(names=["a", "b"]), timeout=20)
    await check_provider(FakeProvider(names=["a", "b"]), kernel_name="b", timeout=20)

    async def factory() -> KernelManagerBase:
        return FakeManager("id")

    await check_manager(factory, timeout=20)


# Managers


class NoId(FakeManager):
    def __init__(self, kernel_id: str) -> None:
        super().__init__("")


class NeverAlive(FakeManager):
    async def is_alive(self) -> bool:
        return False


class AlwaysAlive(FakeManager):
    async def is_alive(self) -> bool:
        return True


class HangingIsAlive(FakeManager):
    async def is_alive(self) -> bool:
        await asyncio.Event().wait()
        return True


class AnswersAtOnce(FakeManager):
    async def wait(self) -> ExitInfo:
        return ExitInfo()


class WaitCancelKills(FakeManager):
    async def wait(self) -> ExitInfo:
        try:
            return await super().wait()
        except asyncio.CancelledError:
            self.die()
            raise


class OneWaiter(FakeManager):
    """Without a shield the first cancelled waiter takes the future with it."""

    async def wait(self) -> ExitInfo:
        return await self._exited

    def die(self, exit_info: ExitInfo | None = None) -> None:
        if not self._exited.done():
            super().die(exit_info)


class ReturnsNothing(FakeManager):
    async def wait(self) -> ExitInfo:
        await super().wait()
        return None  # type: ignore[return-value]


class ReturnsOthers(FakeManager):
    count = 0

    async def wait(self) -> ExitInfo:
        await super().wait()
        self.count += 1
        return ExitInfo(self.count)


class CannotBeKilled(FakeManager):
    async def signal(self, number: int) -> None:
        self.signals.append(number)


class SignalsTheDead(FakeManager):
    async def signal(self, number: int) -> None:
        if not await self.is_alive():
            raise ProcessLookupError(3, "No such process")
        await super().signal(number)


class CloseOnce(FakeManager):
    async def aclose(self) -> None:
        if self.closed:
            raise RuntimeError("closed before")
        await super().aclose()


class CloseLetsGo(FakeManager):
    async def aclose(self) -> None:
        self.closed = True


class CloseCancelled(FakeManager):
    async def aclose(self) -> None:
        await asyncio.sleep(0)
        await super().aclose()


class NoTail(FakeManager):
    async def output_tail(self) -> str:
        return b"bytes"  # type: ignore[return-value]


class Lacking(KernelManagerBase):
    def __init__(self, kernel_id: str) -> None:
        self.kernel_id = kernel_id

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (NoId, "give NoId the kernel_id"),
        (NeverAlive, "return True from is_alive"),
        (AlwaysAlive, "return False from is_alive"),
        (HangingIsAlive, r"make is_alive\(\) end"),
        (AnswersAtOnce, r"let wait\(\) wait as long as the kernel runs"),
        (WaitCancelKills, r"leave the kernel alone when a wait\(\) is cancelled"),
        (OneWaiter, "leave the kernel alone|was cancelled|wait"),
        (ReturnsNothing, r"return an ExitInfo from wait\(\), not a NoneType"),
        (ReturnsOthers, "give all callers of wait"),
        (CannotBeKilled, r"make wait\(\) after kill\(\) end"),
        (SignalsTheDead, r"do nothing in \w+\(\) when the kernel is gone"),
        (CloseLetsGo, r"let wait\(\) answer when aclose\(\) ends the kernel"),
        (CloseCancelled, "aclose.. that was cancelled"),
        (NoTail, r"return text from output_tail"),
        (Lacking, "give Lacking a method is_alive and wait and signal"),
        (lambda kernel_id: object(), "derive object from KernelManagerBase"),
    ],
)
async def test_a_broken_promise_of_a_manager_is_named(kind: Callable[[str], Any], text: str) -> None:
    """With what to do."""

    async def factory() -> Any:
        return kind("id")

    with pytest.raises((AssertionError, asyncio.CancelledError), match=text):
        await check_manager(factory, timeout=SHORT)


async def test_a_close_that_works_only_once_is_an_error() -> None:
    """Its own error tells what is wrong."""

    async def factory() -> Any:
        return CloseOnce("id")

    with pytest.raises(RuntimeError, match="closed before"):
        await check_manager(factory, timeout=SHORT)


async def test_signals_may_be_unsupported() -> None:
    """Where they cannot be sent, as long as there is another way to kill."""

    class NoSignals(FakeManager):
        async def signal(self, number: int) -> None:
            raise Unsupported("signal", "the cluster has none")

        async def interrupt(self) -> None:
            pass

        async def terminate(self) -> None:
            self.die()

        async def kill(self) -> None:
            self.die()

    async def factory() -> Any:
        return NoSignals("id")

    await check_manager(factory, timeout=20)


# Providers


class Provider(FakeProvider):
    """A good one, to be spoilt."""


class BadId(Provider):
    def __init__(self) -> None:
        super().__init__(id="has/slash")


class BadNames(Provider):
    def __init__(self) -> None:
        super().__init__(names=["fake/kernel"])


class Twice(Provider):
    def __init__(self) -> None:
        super().__init__(names=["a", "a"])


class NoInfo(Provider):
    def find_kernels(self) -> Any:
        yield "kernel", {"display_name": "Kernel"}


class NoPairs(Provider):
    def find_kernels(self) -> Any:
        yield "kernel"


class NoName(Provider):
    def find_kernels(self) -> Any:
        yield "kernel", KernelTypeInfo(display_name="", language="none")


class FindsOthers(Provider):
    count = 0

    def find_kernels(self) -> Any:
        self.count += 1
        yield f"kernel{self.count}", KernelTypeInfo(display_name="x", language="none")


class FindsNothing(Provider):
    def __init__(self) -> None:
        super().__init__(names=[])


class HangingSearch(Provider):
    async def find_kernels(self) -> Any:
        yield "kernel", KernelTypeInfo(display_name="x", language="none")
        await asyncio.Event().wait()


class LaunchesAnything(Provider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        return await super().launch("kernel", request)


class WrongError(Provider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name != "kernel":
            raise LaunchError("no such file")
        return await super().launch(name, request)


class ForgetsToAwait(BlockingProviderBase):
    id = "forgets"

    def find_kernels(self) -> list[tuple[str, KernelTypeInfo]]:
        return [("kernel", KernelTypeInfo(display_name="Kernel", language="x"))]

    def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name != "kernel":
            raise NoSuchKernel(name)
        return asyncio.sleep(0)  # type: ignore[return-value]


class ReturnsManager(Provider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        launched = await super().launch(name, request)
        assert launched.channels is not None
        assert launched.manager is not None
        await launched.channels.aclose()
        await launched.manager.aclose()
        return launched.manager  # type: ignore[return-value]


class OneProcessAKernel(Provider):
    """As if processes were named by the kernel_id: the manager of the old one closes the new one."""

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        launched = await super().launch(name, request)
        if request.previous is not None:
            old, new = self.managers[-2:]

            async def close_both() -> None:
                await FakeManager.aclose(old)
                await new.aclose()

            old.aclose = close_both  # type: ignore[method-assign]
        return launched


class OtherId(Provider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        return await super().launch(name, LaunchRequest(launch_params=request.launch_params))


class NoManager(Provider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        launched = await super().launch(name, request)
        assert launched.manager is not None
        await launched.manager.aclose()
        return Launched(channels=launched.channels, manager=None)


class IgnoresParameters(Provider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        return await super().launch(name, LaunchRequest(kernel_id=request.kernel_id))


class NamesNoField(Provider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        if request.launch_params:
            raise Unsupported("something", "no")
        return await super().launch(name, request)


class LeavesTasks(Provider):
    """What it starts goes on when the launch is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[asyncio.Task[Any]] = []

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        task = asyncio.create_task(asyncio.Event().wait(), name="left-behind")
        self.tasks.append(task)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        return await super().launch(name, request)


class NotCancellable(Provider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        while True:
            try:
                await asyncio.sleep(0)
                return await super().launch(name, request)
            except asyncio.CancelledError:
                await asyncio.sleep(3 * SHORT)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (object, "derive object from KernelProviderBase"),
        (type("Empty", (KernelProviderBase,), {"id": "x"}), "give Empty a method find_kernels and launch"),
        (type("Empty", (BlockingProviderBase,), {"id": "x"}), "give Empty a method find_kernels and launch"),
        (BadId, "give BadId an id"),
        (BadNames, "yield names of letters"),
        (Twice, "yield each name once"),
        (NoInfo, "yield a KernelTypeInfo beside 'kernel', not a dict"),
        (NoPairs, "yield pairs"),
        (NoName, "a display_name: users choose by it"),
        (FindsOthers, "find the same each time"),
        (FindsNothing, "found nothing to launch"),
        (HangingSearch, r"make find_kernels\(\) end"),
        (LaunchesAnything, r"NoSuchKernel from launch\(\) for an unknown name; it launched"),
        (WrongError, "for an unknown name, not LaunchError"),
        (ReturnsManager, r"return a Launched from launch\(\), not a FakeManager"),
        (ForgetsToAwait, r"not a coroutine: await it, in a launch\(\) that is async"),
        (OtherId, "give the manager the kernel_id of the request"),
        (OneProcessAKernel, "let each launch have a process of its own"),
        (NoManager, "give Launched a manager"),
        (IgnoresParameters, "an option is never ignored in silence"),
        (NamesNoField, "name the field of the LaunchRequest"),
        (LeavesTasks, r"leave nothing behind when launch\(\) is cancelled; there was still the task 'left-"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_broken_promise_of_a_provider_is_named(kind: Callable[[], Any], text: str) -> None:
    """With what to do."""
    provider = kind()
    try:
        with pytest.raises(AssertionError, match=text):
            await check_provider(provider, timeout=SHORT)
    finally:
        if isinstance(provider, FakeProvider):
            assert all(manager.closed for manager in provider.managers)
        for task in asyncio.all_tasks():
            if task.get_name() == "left-behind":
                task.cancel()
                await asyncio.wait([task])


async def test_a_launch_that_does_not_end_when_cancelled_is_named() -> None:
    """It is left to itself then."""
    provider = NotCancellable()
    with pytest.raises(AssertionError, match=r"let launch\(\) end when it is cancelled"):
        await check_provider(provider, timeout=SHORT)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        launched = await task
        if isinstance(launched, Launched):
            assert launched.channels is not None
            assert launched.manager is not None
            await launched.channels.aclose()
            await launched.manager.aclose()


async def test_unknown_parameters_may_be_fine() -> None:
    """For a provider that passes everything on."""
    await check_provider(IgnoresParameters(), takes_any_parameter=True, timeout=20)


async def test_launch_parameters_are_given_to_each_launch() -> None:
    """Where a provider needs some."""

    class Needs(Provider):
        async def launch(self, name: str, request: LaunchRequest) -> Launched:
            params = dict(request.launch_params)
            if name == "kernel" and params.pop("needed", None) != 1:
                raise LaunchError("needed is missing")
            return await super().launch(
                name, LaunchRequest(kernel_id=request.kernel_id, launch_params=params)
            )

    await check_provider(Needs(), launch_params={"needed": 1}, timeout=20)


async def test_a_check_that_is_cancelled_leaves_no_kernel() -> None:
    """At whatever moment."""
    for turns in range(0, 200, 17):
        provider = FakeProvider()
        task = asyncio.create_task(check_provider(provider, timeout=20))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert all(manager.closed for manager in provider.managers), turns


# Residue


async def test_residue_sees_tasks_children_and_descriptors() -> None:
    """As far as the system tells."""
    before = Residue.now()
    assert await before.wait_for_less(0) == ""
    task = asyncio.create_task(asyncio.Event().wait(), name="mine")
    assert await before.wait_for_less(0) == "the task 'mine'"
    task.cancel()
    assert await before.wait_for_less(20) == ""
    if sys.platform != "linux":
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE
    )
    left = await before.wait_for_less(0)
    assert f"the child process {process.pid}" in left
    assert "open file descriptors" in left
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


async def test_memory_channels_count_as_no_residue() -> None:
    """They hold nothing of the system's."""
    before = Residue.now()
    channels = MemoryChannels()
    assert await before.wait_for_less(0) == ""
    await channels.aclose()
