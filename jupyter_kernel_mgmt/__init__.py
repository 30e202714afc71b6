"""Find kernel types, launch kernels, talk to them, restart and end them: asyncio, and nothing else."""

from ._output_log import OutputDropped
from .channels import Channels
from .client import KernelClient
from .discovery import KernelFinder, find_kernels
from .events import (
    ExecutionStateChanged,
    KernelEvent,
    KernelExited,
    KernelState,
    LaunchProgress,
    StateChanged,
)
from .exceptions import (
    ClientClosed,
    ExecutionAborted,
    ExecutionError,
    ExecutionInterrupted,
    KernelDied,
    KernelError,
    KernelRestarted,
    LaunchError,
    NoSuchKernel,
    NoSuchProvider,
    NotOwned,
    RestartFailed,
    StartupTimeout,
    Unsupported,
)
from .execution import Execution, ExecutionResult, InterruptOutcome
from .kernel import Kernel
from .launcherbase import BlockingLauncherBase, KernelLauncherBase
from .launching import ExitInfo, KernelTypeInfo, Launched, LaunchRequest
from .managerbase import BlockingManagerBase, KernelManagerBase
from .opening import connect, launch
from .providerbase import BlockingProviderBase, KernelProviderBase
from .providers.pyimport import IPykernelProvider
from .providers.spec import KernelSpecProvider
from .subproc import SubprocessLauncher

__version__ = "1.0.0.dev0"

__all__ = [
    # for applications
    "Execution",
    "ExecutionResult",
    "InterruptOutcome",
    "Kernel",
    "KernelClient",
    "KernelFinder",
    "KernelState",
    "OutputDropped",
    "connect",
    "find_kernels",
    "launch",
    # what happens to a kernel
    "ExecutionStateChanged",
    "ExitInfo",
    "KernelEvent",
    "KernelExited",
    "LaunchProgress",
    "StateChanged",
    # for provider authors
    "BlockingLauncherBase",
    "BlockingManagerBase",
    "BlockingProviderBase",
    "Channels",
    "KernelLauncherBase",
    "KernelManagerBase",
    "KernelProviderBase",
    "KernelTypeInfo",
    "LaunchRequest",
    "Launched",
    "SubprocessLauncher",
    # providers that come with the package
    "IPykernelProvider",
    "KernelSpecProvider",
    # errors
    "ClientClosed",
    "ExecutionAborted",
    "ExecutionError",
    "ExecutionInterrupted",
    "KernelDied",
    "KernelError",
    "KernelRestarted",
    "LaunchError",
    "NoSuchKernel",
    "NoSuchProvider",
    "NotOwned",
    "RestartFailed",
    "StartupTimeout",
    "Unsupported",
]
