"""Each shape of provider launches a kernel that works: runs code, is interrupted, restarted and ended."""

import asyncio
import signal
import sys
from dataclasses import replace

import pytest
from traitlets import Unicode
from traitlets.config import Config, LoggingConfigurable

from jupyter_kernel_mgmt import (
    BlockingManagerBase,
    BlockingProviderBase,
    ExitInfo,
    InterruptOutcome,
    Kernel,
    KernelFinder,
    KernelProviderBase,
    KernelTypeInfo,
    Launched,
    LaunchRequest,
    NoSuchKernel,
    SubprocessLauncher,
    Unsupported,
    launch,
)
from jupyter_kernel_mgmt._traits import apply_config, from_traitlets
from jupyter_kernel_mgmt.channels import ZMQChannels
from jupyter_kernel_mgmt.managerabc import KernelManagerABC
from jupyter_kernel_mgmt.original import adapt
from jupyter_kernel_mgmt.original.names import IPykernelProvider, KernelSpecProvider
from jupyter_kernel_mgmt.original.names import KernelProviderBase as OriginalBase
from jupyter_kernel_mgmt.testing import FakeKernel, FakeManager, MemoryChannels, check_provider
from jupyter_protocol import ConnectionInfo, Session

from ._child_kernel import ChildKernel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the kernels here are reached over ipc")

ARGV = (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}")


# (a) asyncio, beside a configurable, through an abstract middle class


class CommandProvider(KernelProviderBase, LoggingConfigurable):
    """The middle class: knows how to launch, and not what."""

    greeting = Unicode("nothing", help="What its kernels find in their environment.").tag(config=True)

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        self.log.debug("Launching %s", name)
        return await SubprocessLauncher(ARGV, env={"GREETING": self.greeting}).launch(request)


class Plain(CommandProvider):
    """The provider: knows what."""

    id = "plain"

    def find_kernels(self):
        yield "kernel", KernelTypeInfo(display_name="Plain", language="python", argv=ARGV)


# (b) blocking, beside a configurable


class ChildManager(BlockingManagerBase):
    """Manages a child process, in threads."""

    def __init__(self, kernel_id: str, child: ChildKernel) -> None:
        self.kernel_id = kernel_id
        self.child = child

    def is_alive(self) -> bool:
        return self.child.process.poll() is None

    def wait(self) -> ExitInfo:
        return ExitInfo(self.child.process.wait())

    def signal(self, number: int) -> None:
        self.child.signal(number)

    def aclose(self) -> None:
        self.child.kill()
        self.child.remove()


class BlockingMiddle(BlockingProviderBase, LoggingConfigurable):
    """Lacks a launch."""

    greeting = Unicode("nothing").tag(config=True)

    def find_kernels(self):
        yield "kernel", KernelTypeInfo(display_name="Blocking", language="python")


class Blocking(BlockingMiddle):
    id = "blocking"

    def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name != "kernel":
            raise NoSuchKernel(name)
        for parameter in request.launch_params:
            raise Unsupported("launch_params", f"there is no place for {parameter}")
        if request.env:
            raise Unsupported("env", "its environment is that of the tests")
        greet = f"--IPKernelApp.exec_lines=import os; os.environ['GREETING'] = {self.greeting!r}"
        child = ChildKernel(cwd=request.cwd, arguments=[greet])
        return Launched(
            connection_info=ConnectionInfo.from_dict(child.connection_info),
            manager=ChildManager(request.kernel_id, child),
        )


# (c) own channels


class Tunnel:
    """Channels of another make: every message crosses as bytes, and is counted. A real kernel is behind."""

    def __init__(self, far: ZMQChannels, session) -> None:
        self.passed = {"out": 0, "in": 0}
        self.on_closed = None
        self._far = far
        self._session = session

    @property
    def on_message(self):
        return self._far.on_message

    @on_message.setter
    def on_message(self, callback) -> None:
        def received(channel, message):
            self.passed["in"] += 1
            callback(channel, self._crossed(message))

        self._far.on_message = None if callback is None else received

    def send(self, channel, message) -> None:
        self.passed["out"] += 1
        self._far.send(channel, self._crossed(message))

    def _crossed(self, message):
        return self._session.deserialize([bytes(frame) for frame in self._session.serialize(message)])

    async def aclose(self, *, discard: bool = False) -> None:
        await self._far.aclose(discard=discard)


class OwnChannels(Plain):
    id = "tunnel"

    def __init__(self) -> None:
        super().__init__()
        self.tunnels = []

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        launched = await super().launch(name, request)
        try:
            far = await ZMQChannels.open(launched.connection_info)
        except BaseException:
            await launched.manager.aclose()
            raise
        self.tunnels.append(Tunnel(far, Session("a key of the tunnel's own")))
        return Launched(channels=self.tunnels[-1], manager=launched.manager)


class InMemory(KernelProviderBase):
    """No process, no sockets: channels are all it takes."""

    id = "memory"

    def find_kernels(self):
        yield "kernel", KernelTypeInfo(display_name="In memory", language="fake")

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        channels = MemoryChannels()
        kernel = FakeKernel(channels.kernel)
        manager = FakeManager(request.kernel_id, kernel=kernel)
        kernel.on_shutdown = lambda restart: manager.die(ExitInfo(0))
        await kernel.__aenter__()
        return Launched(channels=channels, manager=manager)


# (d) and (e) the original shape, which derives from what the first version had


class OldManager(KernelManagerABC):
    """As in 0.1."""

    def __init__(self, child) -> None:
        self.child = child

    def is_alive(self):
        return self.child.process.poll() is None

    def wait(self, timeout):
        self.child.process.wait(timeout)
        return False

    def signal(self, signum):
        self.child.signal(signum)

    def interrupt(self):
        self.signal(signal.SIGINT)

    def kill(self):
        self.child.kill()

    def cleanup(self):
        self.child.remove()


class OriginalBlocking(OriginalBase):
    """As in 0.1: the launch blocks."""

    id = "original"

    def find_kernels(self):
        yield "kernel", {"display_name": "Original", "language": {"name": "python"}, "argv": ["python"]}

    def launch(self, name, cwd=None):
        if name != "kernel":
            raise KeyError(name)
        child = ChildKernel(cwd=cwd)
        return child.connection_info, OldManager(child)


class OldAsyncManager(KernelManagerABC):
    """As in 0.5."""

    def __init__(self, child) -> None:
        self.child = child
        self.kernel_id = "of its own"

    async def is_alive(self):
        return self.child.process.poll() is None

    async def wait(self):
        while await self.is_alive():  # noqa: ASYNC110 - as it was
            await asyncio.sleep(0.05)
        return self.child.process.returncode

    async def signal(self, signum):
        self.child.signal(signum)

    async def interrupt(self):
        await self.signal(signal.SIGINT)

    async def kill(self):
        self.child.process.kill()
        await self.wait()

    async def cleanup(self):
        self.child.remove()


class OriginalAsync(OriginalBlocking):
    """As in 0.5: the launch runs on the loop, and takes parameters."""

    async def launch(self, name, cwd=None, launch_params=None):
        if name != "kernel":
            raise KeyError(name)
        arguments = [f"--IPKernelApp.exec_lines={line}" for line in (launch_params or {}).values()]
        child = ChildKernel(cwd=cwd, arguments=arguments)
        return child.connection_info, OldAsyncManager(child)


class OriginalDuck:
    """Derives from nothing."""

    id = "original"
    find_kernels = OriginalBlocking.find_kernels
    launch = OriginalBlocking.launch


class OriginalHeir(IPykernelProvider):
    """Builds on what the first version shipped."""

    async def launch(self, name, cwd=None, launch_params=None):
        connection, manager = await super().launch(name, cwd=cwd, launch_params=launch_params)
        return {**connection, "note": "passed on"}, manager


def adapted(provider):
    """With its note."""
    with pytest.warns(
        DeprecationWarning, match=f"{type(provider).__name__} is a provider in the original shape"
    ):
        return adapt(provider)


SHAPES = {
    "plain": Plain,
    "blocking": Blocking,
    "own-channels": OwnChannels,
    "original-blocking": lambda: adapted(OriginalBlocking()),
    "original-async": lambda: adapted(OriginalAsync()),
    "original-duck": lambda: adapted(OriginalDuck()),
    "original-heir": lambda: adapted(OriginalHeir()),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_kernel_of_each_shape_lives_a_whole_life(shape, world, run_until):
    """Found, launched in a directory; code, an error, an interrupt, a restart and a shutdown."""
    provider = SHAPES[shape]()
    place = world.other.resolve()
    async with KernelFinder([provider]) as finder:
        ((kernel_type, info),) = [item async for item in finder.find_kernels()]
        assert kernel_type == f"{provider.id}/kernel"
        assert info.language == "python"
        async with launch(kernel_type, cwd=place, finder=finder) as kernel:
            assert (await kernel.execute("import os; print(os.getcwd()); seen = 1")).stdout == f"{place}\n"
            assert (await kernel.execute("1/0")).error.ename == "ZeroDivisionError"
            running = await run_until(kernel, "print('started')\nwhile True: pass")
            assert await kernel.interrupt() is InterruptOutcome.IDLE
            assert (await running).status == "interrupted"
            await kernel.restart()
            assert (await kernel.execute("'seen' in dir()")).text == "False"
            assert await kernel.shutdown() is not None
            assert not await kernel.manager.is_alive()


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_busy_kernel_of_each_shape_is_ended_and_leaves_nothing(shape, run_until):
    """By closing it in the middle of its work."""
    provider = SHAPES[shape]()
    async with (
        KernelFinder([provider]) as finder,
        launch(f"{provider.id}/kernel", finder=finder) as kernel,
    ):
        await run_until(kernel, "print('started')\nwhile True: pass")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_launch_of_each_shape_that_is_cancelled_leaves_nothing(shape, eventually, descendants):
    """While its process starts."""
    provider = SHAPES[shape]()
    async with KernelFinder([provider]) as finder:
        launching = asyncio.create_task(finder.launch(f"{provider.id}/kernel", LaunchRequest()))
        await eventually(lambda: descendants() or launching.done())
        launching.cancel()
        await asyncio.wait([launching])
        if not launching.cancelled():
            launched = launching.result()
            if launched.channels is not None:
                await launched.channels.aclose(discard=True)
            await launched.manager.aclose()
        await eventually(lambda: not descendants())


@pytest.mark.parametrize(
    ("ignored", "nothing", "text"),
    [("env", {}, "JUPYTER_KERNEL_MGMT_CHECK is None"), ("cwd", None, "the kernel runs in /")],
)
async def test_a_kernel_that_does_not_heed_what_was_asked_is_told(ignored, nothing, text):
    """It runs all the same, so that only asking it tells."""

    class Ignoring(Blocking):
        def launch(self, name: str, request: LaunchRequest) -> Launched:
            return super().launch(name, replace(request, **{ignored: nothing}))

    with pytest.raises(AssertionError, match=f"heed {ignored} of the LaunchRequest.*{text}"):
        await check_provider(Ignoring())


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ("original-blocking", {}),
        ("original-async", {"takes_any_parameter": True}),
        ("blocking", {}),
    ],
)
async def test_the_conformance_checks_find_nothing(shape, options):
    """All the promises of a provider and of its managers."""
    await check_provider(SHAPES[shape](), **options)


@pytest.mark.parametrize("kind", [Plain, Blocking])
async def test_configurables_are_configured_from_traitlets(kind):
    """Through the section of the middle class, the class's own, and options as they are given."""
    config = Config()
    config.CommandProvider.greeting = config.BlockingMiddle.greeting = "from the middle class"
    provider = kind()
    apply_config(provider, from_traitlets(config, kind))
    assert await greeting_of(provider) == "from the middle class"

    config[kind.__name__].greeting = "from the class itself"
    apply_config(provider, from_traitlets(config, kind))
    assert await greeting_of(provider) == "from the class itself"

    with pytest.raises(TypeError, match=r"^greeting: "):
        apply_config(provider, {"greeting": 5})


async def greeting_of(provider):
    async with (
        KernelFinder([provider]) as finder,
        launch(f"{provider.id}/kernel", finder=finder) as kernel,
    ):
        result = await kernel.execute("import os; print(os.environ['GREETING'])")
        return result.raise_for_status().stdout.strip()


@pytest.mark.parametrize("kind", [CommandProvider, BlockingMiddle])
def test_what_an_abstract_middle_class_lacks_is_said_when_it_is_taken(kind):
    """It can be made: there is no metaclass but that of traitlets."""
    with pytest.raises(TypeError, match=rf"{kind.__name__} lacks (find_kernels|launch) and id"):
        KernelFinder([kind()])


async def test_all_messages_pass_through_channels_of_their_own():
    """None goes another way; the kernel has no address."""
    provider = OwnChannels()
    async with KernelFinder([provider]) as finder, launch("tunnel/kernel", finder=finder) as kernel:
        assert (await kernel.execute("6 * 7")).text == "42"
        assert kernel.connection_info is None
        (tunnel,) = provider.tunnels
        assert tunnel.passed["out"] >= 2
        assert tunnel.passed["in"] >= 5


async def test_channels_in_memory_are_enough_for_a_kernel():
    """It has no process at all."""
    async with KernelFinder([InMemory()]) as finder, launch("memory/kernel", finder=finder) as kernel:
        assert isinstance(kernel, Kernel)
        assert (await kernel.execute("print('hello')")).status == "ok"
        assert (await kernel.shutdown()).returncode == 0


async def test_launch_parameters_reach_an_original_launch_that_takes_them():
    """And are refused by one that does not."""
    async with (
        KernelFinder([adapted(OriginalAsync())]) as finder,
        launch("original/kernel", finder=finder, launch_params={"line": "x = 5"}) as kernel,
    ):
        assert (await kernel.execute("x")).text == "5"
    async with KernelFinder([adapted(OriginalBlocking())]) as finder:
        with pytest.raises(Unsupported, match="launch_params"):
            await launch("original/kernel", finder=finder, launch_params={"line": "x = 5"})


async def test_how_a_kernel_in_the_original_shape_ended_is_what_its_wait_said():
    """An exit code where there is one."""
    async with (
        KernelFinder([adapted(OriginalAsync())]) as finder,
        launch("original/kernel", finder=finder) as kernel,
    ):
        kernel.execute("import os; os._exit(3)")
        assert (await kernel.wait()).returncode == 3


async def test_kernelspecs_are_launched_by_an_heir_of_the_original_provider(spec):
    """With its kernelspecs, as providers of that time used them."""

    class Heir(KernelSpecProvider):
        id = "heir"

        async def launch(self, name, cwd=None, launch_params=None):
            assert self.ksm.get_kernel_spec(name).display_name == "mine"
            return await super().launch(name, cwd, launch_params)

    spec("mine", [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    async with KernelFinder([adapted(Heir())]) as finder:
        assert "heir/mine" in [name async for name, _ in finder.find_kernels()]
        async with launch("heir/mine", finder=finder) as kernel:
            assert (await kernel.execute("6 * 7")).text == "42"


@pytest.mark.parametrize("hangs", ["find_kernels", "launch", "load_config", "wait"])
def test_an_original_provider_that_hangs_holds_up_neither_the_loop_nor_the_end(hangs, python_program):
    """The program ends though its call never does."""
    program = """
import asyncio, sys, threading, warnings
from jupyter_kernel_mgmt import LaunchRequest
from jupyter_kernel_mgmt.original import adapt
from jupyter_kernel_mgmt.original.names import KernelProviderBase

def hang(*args, **options):
    hanging.set()
    threading.Event().wait()

hanging = threading.Event()

class Manager:
    def is_alive(self): return True
    def kill(self): pass
    def wait(self, timeout=None): return True

class Provider(KernelProviderBase):
    id = "hangs"
    def find_kernels(self): yield "kernel", {}
    def launch(self, name, cwd=None):
        names = ("shell_port", "iopub_port", "control_port", "stdin_port", "hb_port")
        return dict.fromkeys(names, 1), Manager()

async def use(provider):
    async for found in provider.find_kernels():
        pass
    launched = await provider.launch("kernel", LaunchRequest())
    await launched.manager.wait()

async def main():
    warnings.simplefilter("ignore", DeprecationWarning)
    using = asyncio.create_task(use(adapt(Provider())))
    while not hanging.is_set():
        await asyncio.sleep(0.001)
    using.cancel()
    await asyncio.wait([using])
    print(using.cancelled())

setattr(Manager if sys.argv[1] == "wait" else Provider, sys.argv[1], hang)
asyncio.run(main())
"""
    assert python_program(program, hangs) == "True\n"
