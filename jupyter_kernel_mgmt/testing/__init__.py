"""For those who write providers, and for tests: conformance checks and verified fakes."""

from .checks import check_provider
from .fake_kernel import Behaviour, FakeKernel, FakeRun, Quirks
from .fake_manager import FakeManager
from .fake_provider import FakeProvider
from .manager_checks import check_manager
from .memory import KernelEnd, MemoryChannels

__all__ = [
    # does what I wrote keep its promises?
    "check_manager",
    "check_provider",
    # a kernel without a process
    "Behaviour",
    "FakeKernel",
    "FakeRun",
    "Quirks",
    # and what launches and manages it
    "FakeManager",
    "FakeProvider",
    # channels without sockets
    "KernelEnd",
    "MemoryChannels",
]
