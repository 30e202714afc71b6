"""`FakeProvider`: launches fake kernels in the normal way."""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any

from ..exceptions import LaunchError, NoSuchKernel, NoSuchResource, Unsupported
from ..launching import ExitInfo, InterruptMode, KernelTypeInfo, Launched, LaunchRequest, RunningKernel
from ..providerbase import KernelProviderBase
from .fake_kernel import FakeKernel
from .fake_manager import AdoptedFakeManager, FakeManager
from .fake_run import Behaviour
from .memory import MemoryChannels
from .quirks import Quirks

OnLaunch = Callable[[FakeManager], Awaitable[None]]
"""Called with the manager of each new kernel (which has ``.kernel``) before its launch returns."""


class FakeProvider(KernelProviderBase):
    """A provider of `FakeKernel`, for `KernelFinder([FakeProvider(…)])`.

    ``behaviour`` and ``quirks`` are for each kernel. ``files`` are the resources of each type, by name, and
    ``obstacles`` why some types cannot be launched. ``on_launch`` may change the kernel, hang or raise, and
    so make launches slow or fail. A kernel is found running, and can be adopted, until it dies or its first
    manager is closed. ``launches`` are the requests that came, ``managers`` those of the kernels that were
    started, both in order; ``closed`` counts calls of `aclose`.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        id: str = "fake",
        names: Sequence[str] = ("kernel",),
        quirks: Quirks | None = None,
        interrupt_mode: InterruptMode = "signal",
        files: Mapping[str, bytes] | None = None,
        obstacles: Mapping[str, str] | None = None,
        on_launch: OnLaunch | None = None,
    ) -> None:
        self.id = id
        self.behaviour = behaviour
        self.names = tuple(names)
        self.quirks = quirks
        self.interrupt_mode: InterruptMode = interrupt_mode
        self.files = dict(files or {})
        self.obstacles = dict(obstacles or {})
        self.on_launch = on_launch
        self.launches: list[LaunchRequest] = []
        self.managers: list[FakeManager] = []
        self._names: dict[str, str] = {}  # of kernel types, by process
        self.closed = 0

    @property
    def kernels(self) -> list[FakeKernel]:
        """The kernels that were started, in order."""
        return [manager.kernel for manager in self.managers if manager.kernel is not None]

    def find_kernels(self) -> Generator[tuple[str, KernelTypeInfo], None, None]:
        for name in self.names:
            yield (
                name,
                KernelTypeInfo(
                    display_name=f"Fake ({name})",
                    language="fake",
                    resources=tuple(self.files),
                    obstacle=self.obstacles.get(name, ""),
                ),
            )

    async def resources(self, name: str) -> Sequence[str]:
        self._require(name)
        return tuple(self.files)

    async def resource(self, name: str, filename: str) -> bytes:
        self._require(name)
        if filename not in self.files:
            raise NoSuchResource(f"{self.id}/{name}", filename)
        return self.files[filename]

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        self._require(name)
        if name in self.obstacles:
            raise LaunchError(self.obstacles[name])
        for parameter in request.launch_params:
            raise Unsupported("launch_params", f"a fake kernel has no use for {parameter!r}")
        if request.extra_arguments:
            raise Unsupported("extra_arguments", "a fake kernel has no command")
        self.launches.append(request)
        channels = MemoryChannels()
        kernel = FakeKernel(channels.kernel, self.behaviour, quirks=self.quirks)
        manager = FakeManager(request.kernel_id, kernel=kernel)
        kernel.on_shutdown = lambda restart: manager.die(ExitInfo(0))
        self.managers.append(manager)
        self._names[manager.process_id] = name
        request.progress("starting a kernel that does not exist", 0.5)
        try:
            await kernel.__aenter__()
            if self.on_launch is not None:
                await self.on_launch(manager)
        except BaseException:
            await channels.aclose(discard=True)
            await manager.aclose()
            raise
        return Launched(channels=channels, manager=manager, interrupt_mode=self.interrupt_mode)

    def find_running(self) -> Generator[RunningKernel, None, None]:
        for manager in self.managers:
            if manager.running:
                kernel_type = f"{self.id}/{self._names[manager.process_id]}"
                record = {"kernel_id": manager.kernel_id, "manager": manager.to_dict()}
                yield RunningKernel(kernel_id=manager.kernel_id, kernel_type=kernel_type, record=record)

    async def adopt(self, record: Mapping[str, Any]) -> Launched:
        kept = record.get("manager")
        if not isinstance(kept, Mapping) or not isinstance(kept.get("process_id"), str):
            raise ValueError("manager: this is no record of a fake kernel")
        for manager in self.managers:
            if manager.running and manager.kernel is not None and manager.to_dict() == kept:
                channels = MemoryChannels()
                manager.kernel.serve(channels.kernel)
                adopted = AdoptedFakeManager(manager)
                return Launched(channels=channels, manager=adopted, interrupt_mode=self.interrupt_mode)
        raise LaunchError(f"the kernel {record.get('kernel_id')} has ended, and cannot be adopted")

    async def aclose(self) -> None:
        self.closed += 1

    def _require(self, name: str) -> None:
        if name not in self.names:
            raise NoSuchKernel(name, known=self.names, searched=["a list in a test"])
