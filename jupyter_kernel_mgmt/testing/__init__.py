"""For those who write providers, and for tests: conformance checks and verified fakes."""

from .checks import check_provider
from .fake_comms import FakeComm, FakeComms
from .fake_kernel import Debugger, FakeKernel, KernelSide
from .fake_manager import FakeManager
from .fake_provider import FakeProvider
from .fake_run import Behaviour, FakeRun
from .launcher_checks import check_launcher
from .manager_checks import check_manager
from .memory import KernelEnd, MemoryChannels
from .quirks import Quirks

__all__ = [
    # does what I wrote keep its promises?
    "check_launcher",
    "check_manager",
    "check_provider",
    # a kernel without a process
    "Behaviour",
    "Debugger",
    "FakeComm",
    "FakeComms",
    "FakeKernel",
    "FakeRun",
    "KernelSide",
    "Quirks",
    # and what launches and manages it
    "FakeManager",
    "FakeProvider",
    # channels without sockets
    "KernelEnd",
    "MemoryChannels",
]
