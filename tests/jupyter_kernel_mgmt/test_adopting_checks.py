"""What `check_provider` says of broken promises about kernels that run already."""

from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    BlockingProviderBase,
    ExitInfo,
    KernelFinder,
    KernelProviderBase,
    KernelTypeInfo,
    Launched,
    LaunchError,
    LaunchRequest,
    NoSuchKernel,
    RunningKernel,
    Unsupported,
    connect,
)
from jupyter_kernel_mgmt.testing import FakeManager, FakeProvider, check_provider
from jupyter_kernel_mgmt.testing._adopting_checks import check_adopting
from jupyter_kernel_mgmt.testing.fake_manager import AdoptedFakeManager

SHORT = 1.0
"""Seconds after which what hangs is given up."""

HANGING = frozenset({"CannotKill"})


async def test_what_was_adopted_can_be_used_beside_the_first_client() -> None:
    """A fake kernel has as many clients as a real one, and each gets its own answers."""
    provider = FakeProvider()
    async with KernelFinder([provider]) as finder:
        launched = await finder.launch("fake/kernel", LaunchRequest(kernel_id="one"))
        (running,) = provider.find_running()
        assert (running.kernel_id, running.kernel_type) == ("one", "fake/kernel")
        adopted = await provider.adopt(running.record)
        assert adopted.manager is not None
        async with connect(launched) as first, connect(adopted) as second:
            assert (await first.execute("1")).execution_count == 1
            assert (await second.execute("2")).execution_count == 2
        await adopted.manager.aclose()
        provider.managers[0].die()
        assert await adopted.manager.wait() == ExitInfo(0)
        assert list(provider.find_running()) == []
        with pytest.raises(LaunchError, match="the kernel one has ended"):
            await provider.adopt(running.record)
        await provider.managers[0].aclose()


# Wrong in one way each


class FindsAndAdoptsNot(FakeProvider):
    adopt = KernelProviderBase.adopt


class KeepsNoRecord(FakeProvider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        launched = await super().launch(name, request)

        def to_dict() -> dict[str, Any]:
            raise Unsupported("adopt", "no record is kept")

        launched.manager.to_dict = to_dict  # type: ignore[method-assign,union-attr]
        return launched


class KeepsAnObject(FakeProvider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        launched = await super().launch(name, request)
        launched.manager.to_dict = lambda: {"process": object()}  # type: ignore[method-assign,union-attr]
        return launched


class KeepsATuple(FakeProvider):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        launched = await super().launch(name, request)
        launched.manager.to_dict = lambda: {"argv": ("a", "b")}  # type: ignore[method-assign,union-attr]
        return launched


class FindsNothing(FakeProvider):
    def find_running(self) -> Generator[RunningKernel, None, None]:
        yield from ()


class FindsTwice(FakeProvider):
    def find_running(self) -> Generator[RunningKernel, None, None]:
        yield from [*super().find_running()] * 2


class FindsIds(FakeProvider):
    def find_running(self) -> Any:
        for kernel in super().find_running():
            yield kernel.kernel_id


class OtherType(FakeProvider):
    def find_running(self) -> Generator[RunningKernel, None, None]:
        for kernel in super().find_running():
            yield RunningKernel(kernel_id=kernel.kernel_id, kernel_type="kernel", record=kernel.record)


class RunningObjects(FakeProvider):
    def find_running(self) -> Generator[RunningKernel, None, None]:
        for kernel in super().find_running():
            record = {**kernel.record, "self": self}
            yield RunningKernel(kernel_id=kernel.kernel_id, kernel_type=kernel.kernel_type, record=record)


class FindsTheDead(FakeProvider):
    def find_running(self) -> Generator[RunningKernel, None, None]:
        for manager in self.managers:
            record = {"kernel_id": manager.kernel_id, "manager": manager.to_dict()}
            yield RunningKernel(kernel_id=manager.kernel_id, kernel_type="fake/kernel", record=record)


class CannotAdopt(FakeProvider):
    async def adopt(self, record: Mapping[str, Any]) -> Launched:
        raise LaunchError("not today")


class AdoptsManagers(FakeProvider):
    async def adopt(self, record: Mapping[str, Any]) -> Any:
        launched = await super().adopt(record)
        assert launched.channels is not None
        await launched.channels.aclose()
        return launched.manager


class ForgetsTheId(FakeProvider):
    async def adopt(self, record: Mapping[str, Any]) -> Launched:
        launched = await super().adopt(record)
        assert launched.manager is not None
        launched.manager.kernel_id = "new"
        return launched


class OtherInterrupts(FakeProvider):
    async def adopt(self, record: Mapping[str, Any]) -> Launched:
        launched = await super().adopt(record)
        launched.interrupt_mode = "message"
        return launched


class AdoptsForGood(FakeProvider):
    """As if it had started them: whoever adopts a kernel ends it."""

    async def adopt(self, record: Mapping[str, Any]) -> Launched:
        launched = await super().adopt(record)
        assert isinstance(launched.manager, AdoptedFakeManager)
        launched.manager.aclose = launched.manager.starter.aclose  # type: ignore[method-assign]
        return launched


class NeverAlive(FakeProvider):
    async def adopt(self, record: Mapping[str, Any]) -> Launched:
        launched = await super().adopt(record)

        async def is_alive() -> bool:
            return False

        launched.manager.is_alive = is_alive  # type: ignore[method-assign,union-attr]
        return launched


class CannotKill(FakeProvider):
    async def adopt(self, record: Mapping[str, Any]) -> Launched:
        launched = await super().adopt(record)

        async def signal(number: int) -> None:
            pass

        launched.manager.signal = signal  # type: ignore[method-assign,union-attr]
        return launched


class AdoptsTheDead(FakeProvider):
    async def adopt(self, record: Mapping[str, Any]) -> Launched:
        try:
            return await super().adopt(record)
        except LaunchError:
            manager = FakeManager(record["kernel_id"])
            manager.die()
            channels = (await self.launch("kernel", LaunchRequest())).channels
            return Launched(channels=channels, manager=manager)


class GarbageKeyError(FakeProvider):
    async def adopt(self, record: Mapping[str, Any]) -> Launched:
        record["manager"]
        return await super().adopt(record)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (FindsAndAdoptsNot, r"give the provider a method adopt: what find_running\(\) yields"),
        (KeepsNoRecord, r"give the manager a to_dict\(\) with what adopt\(\) needs"),
        (KeepsAnObject, r"make Launched.to_dict\(\) of JSON values only"),
        (KeepsATuple, r"make Launched.to_dict\(\) of values that JSON gives back as they were"),
        (FindsNothing, r"let find_running\(\) yield every kernel that was launched"),
        (FindsTwice, r"let find_running\(\) yield each kernel once; it came 2 times"),
        (FindsIds, r"let find_running\(\) yield RunningKernel, not a str"),
        (
            OtherType,
            "give a RunningKernel the kernel_type with the provider's id, 'fake/kernel', not 'kernel'",
        ),
        (RunningObjects, "make the record of a RunningKernel of JSON values only"),
        (FindsTheDead, r"leave out of find_running\(\) what has ended"),
        (CannotAdopt, r"let adopt\(\) take up a kernel that runs; it raised LaunchError\('not today'\)"),
        (AdoptsManagers, r"return a Launched from adopt\(\), not a AdoptedFakeManager"),
        (ForgetsTheId, "give an adopted kernel the kernel_id it has, '.*', not 'new'"),
        (OtherInterrupts, r"keep the interrupt_mode in adopt\(\): it was 'signal'"),
        (AdoptsForGood, r"let an adopted kernel go on in its manager's aclose\(\): it was ended"),
        (NeverAlive, r"return True from is_alive\(\) of an adopted kernel"),
        (CannotKill, r"make wait\(\) after kill\(\) of an adopted kernel end"),
        (AdoptsTheDead, r"raise LaunchError from adopt\(\) for a kernel that is gone; it returned Launched"),
        (GarbageKeyError, r"raise ValueError from adopt\(\) for what is no record; it raised KeyError"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_broken_promise_is_named(kind: Callable[[], FakeProvider], text: str) -> None:
    """With what to do."""
    provider = kind()
    with pytest.raises(AssertionError, match=text):
        await check_provider(provider, timeout=SHORT if kind.__name__ in HANGING else 20)
    for manager in provider.managers:
        await manager.aclose()  # as after a launch that only a wrong provider makes


async def test_blocking_providers_are_asked_too() -> None:
    """Whether they adopt is seen through the threads that they run in."""

    class Blocking(BlockingProviderBase):
        id = "blocking"

        def find_kernels(self) -> Any:
            yield "kernel", KernelTypeInfo(display_name="Kernel", language="none")

        def launch(self, name: str, request: LaunchRequest) -> Launched:
            raise NoSuchKernel(name)

        def find_running(self) -> Any:
            yield from ()

    with pytest.raises(AssertionError, match="give the provider a method adopt"):
        await check_adopting(Blocking().as_async(), "kernel", {}, SHORT)
