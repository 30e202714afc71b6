"""`FakeProvider`: launches fake kernels in the normal way."""

from collections.abc import Awaitable, Callable, Generator, Sequence

from ..exceptions import NoSuchKernel, Unsupported
from ..launching import ExitInfo, InterruptMode, KernelTypeInfo, Launched, LaunchRequest
from ..providerbase import KernelProviderBase
from .fake_kernel import FakeKernel
from .fake_manager import FakeManager
from .fake_run import Behaviour
from .memory import MemoryChannels
from .quirks import Quirks

OnLaunch = Callable[[FakeManager], Awaitable[None]]
"""Called with the manager of each new kernel (which has ``.kernel``) before its launch returns."""


class FakeProvider(KernelProviderBase):
    """A provider of `FakeKernel`, for `KernelFinder([FakeProvider(…)])`.

    ``behaviour`` and ``quirks`` are for each kernel. ``on_launch`` may change the kernel, hang or raise, and
    so make launches slow or fail. ``launches`` are the requests that came, ``managers`` those of the
    kernels that were started, both in order; ``closed`` counts calls of `aclose`.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        id: str = "fake",
        names: Sequence[str] = ("kernel",),
        quirks: Quirks | None = None,
        interrupt_mode: InterruptMode = "signal",
        on_launch: OnLaunch | None = None,
    ) -> None:
        self.id = id
        self.behaviour = behaviour
        self.names = tuple(names)
        self.quirks = quirks
        self.interrupt_mode: InterruptMode = interrupt_mode
        self.on_launch = on_launch
        self.launches: list[LaunchRequest] = []
        self.managers: list[FakeManager] = []
        self.closed = 0

    @property
    def kernels(self) -> list[FakeKernel]:
        """The kernels that were started, in order."""
        return [manager.kernel for manager in self.managers if manager.kernel is not None]

    def find_kernels(self) -> Generator[tuple[str, KernelTypeInfo], None, None]:
        for name in self.names:
            yield name, KernelTypeInfo(display_name=f"Fake ({name})", language="fake")

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name not in self.names:
            raise NoSuchKernel(name, known=self.names, searched=["a list in a test"])
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

    async def aclose(self) -> None:
        self.closed += 1
