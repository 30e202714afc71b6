"""What authors of providers write has the types that they expect. Only type-checked, never run."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import assert_type

from jupyter_kernel_mgmt import (
    BlockingLauncherBase,
    BlockingManagerBase,
    BlockingProviderBase,
    CanRestart,
    Channels,
    ExitInfo,
    KernelFinder,
    KernelLauncherBase,
    KernelManagerBase,
    KernelProviderBase,
    KernelTypeInfo,
    Launched,
    LaunchRequest,
    NoSuchKernel,
    SubprocessLauncher,
    Unsupported,
)
from jupyter_kernel_mgmt.channels import OnClosed, OnMessage
from jupyter_kernel_mgmt.testing import (
    FakeManager,
    FakeProvider,
    MemoryChannels,
    check_launcher,
    check_manager,
    check_provider,
)
from jupyter_protocol import ConnectionInfo, Message


class Manager(KernelManagerBase):
    def __init__(self, kernel_id: str) -> None:
        self.kernel_id = kernel_id

    async def is_alive(self) -> bool:
        return True

    async def wait(self) -> ExitInfo:
        return ExitInfo(-9, reason="out of memory", output_tail="…", retry=True)

    async def signal(self, number: int) -> None:
        raise Unsupported("signal", "the cluster has none")

    async def aclose(self) -> None: ...


class InPlace(Manager):
    """A manager that offers more."""

    async def restart(self) -> Launched | None:
        return None


can_restart: CanRestart = InPlace("the id")


class MyChannels:
    """Any class with these four is `Channels`; nothing needs to be inherited."""

    on_message: OnMessage | None = None
    on_closed: OnClosed | None = None

    def send(self, channel: str, message: Message) -> None: ...

    async def aclose(self, *, discard: bool = False) -> None: ...


class Oblong(KernelProviderBase):
    """Finds in an async generator."""

    id = "oblong"

    async def find_kernels(self) -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        yield "rounded", KernelTypeInfo(display_name="Oblong (rounded)", language="oblong")

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name != "rounded":
            raise NoSuchKernel(name, known=["rounded"], searched=["here"])
        assert_type(request.cwd, Path | None)
        assert_type(request.remaining(), float | None)
        assert_type(request.previous, Launched | None)
        request.progress("starting", 0.5)
        return Launched(
            connection_info=ConnectionInfo(), manager=Manager(request.kernel_id), interrupt_mode="message"
        )


class Flat(KernelProviderBase):
    """Finds in an ordinary generator; launches with a launcher, or over channels of its own."""

    id = "flat"

    def find_kernels(self) -> Iterator[tuple[str, KernelTypeInfo]]:
        yield "one", KernelTypeInfo(display_name="One", language="none", argv=("run",), metadata={"a": 1})

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name == "process":
            launcher = SubprocessLauncher(
                ["run", "-f", "{connection_file}"], kernel_name=name, env={"A": "b"}
            )
            assert_type(await launcher.launch(request), Launched)
        channels: Channels = MyChannels()
        channels = MemoryChannels()
        return Launched(channels=channels, manager=FakeManager(request.kernel_id))


class BlockingManager(BlockingManagerBase):
    kernel_id = "id"

    def is_alive(self) -> bool:
        return True

    def wait(self) -> ExitInfo:
        return ExitInfo(0)

    def signal(self, number: int) -> None: ...

    def aclose(self) -> None: ...


class BlockingProvider(BlockingProviderBase):
    id = "blocking"

    def find_kernels(self) -> list[tuple[str, KernelTypeInfo]]:
        return [("one", KernelTypeInfo(display_name="One", language="none"))]

    def launch(self, name: str, request: LaunchRequest) -> Launched:
        return Launched(connection_info=ConnectionInfo(), manager=BlockingManager())


class BlockingLauncher(BlockingLauncherBase):
    def launch(self, request: LaunchRequest) -> Launched:
        return Launched(connection_info=ConnectionInfo(), manager=BlockingManager())


async def adapt() -> None:
    assert_type(BlockingManager().as_async(), KernelManagerBase)
    assert_type(BlockingProvider().as_async(), KernelProviderBase)
    assert_type(BlockingLauncher().as_async(), KernelLauncherBase)
    launched = await BlockingLauncher().as_async().launch(LaunchRequest())
    assert_type(launched.manager, KernelManagerBase | None)
    async with KernelFinder([Oblong(), Flat(), BlockingProvider()]) as finder:
        assert_type(finder, KernelFinder)


async def check() -> None:
    async def manager() -> KernelManagerBase:
        return Manager("id")

    async def blocking() -> BlockingManagerBase:
        return BlockingManager()

    await check_manager(manager)
    await check_manager(blocking, timeout=5)
    await check_provider(Oblong(), kernel_name="rounded", launch_params={"a": 1}, takes_any_parameter=True)
    await check_provider(BlockingProvider(), timeout=5)
    await check_provider(FakeProvider(files={"logo.svg": b""}, obstacles={"broken": "it needs R"}))
    await check_launcher(SubprocessLauncher(["kernel"]), launch_params={"a": 1}, takes_any_parameter=True)
    await check_launcher(lambda: SubprocessLauncher(["kernel"]), timeout=5)
