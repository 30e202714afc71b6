"""Find kernel types, launch kernels, talk to them, restart and end them: asyncio, and nothing else."""

from ._output_log import OutputDropped
from ._pool_stock import PoolMetrics
from ._restart_policy import Backoff
from .channels import Channels
from .client import KernelClient
from .command_template import CommandTemplate
from .comms import Comm
from .discovery import Configuration, KernelFinder, KernelTypeChange, find_kernels
from .events import (
    ExecutionStateChanged,
    KernelEvent,
    KernelExited,
    KernelState,
    LaunchProgress,
    Responsive,
    RestartGaveUp,
    RestartScheduled,
    StateChanged,
    Unresponsive,
)
from .exceptions import (
    AlreadyInstalled,
    BadConfiguration,
    ClientClosed,
    ExecutionAborted,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionTimeout,
    InstallError,
    KernelDied,
    KernelError,
    KernelRestarted,
    KernelUnresponsive,
    LaunchError,
    NoReply,
    NoSuchKernel,
    NoSuchProvider,
    NoSuchResource,
    NotOwned,
    RestartFailed,
    StartupTimeout,
    SubshellError,
    Unsupported,
)
from .execution import Execution
from .kernel import Kernel
from .launch_parameters import BadParameters, LaunchParameters
from .launcherbase import BlockingLauncherBase, KernelLauncherBase
from .launching import ExitInfo, KernelTypeInfo, Launched, LaunchRequest, Limits, RunningKernel
from .managerbase import BlockingManagerBase, CanRestart, KernelManagerBase, ProcessState
from .matching import Match, match_notebook, with_kernel
from .opening import connect, launch
from .pool import KernelPool
from .providerbase import BlockingProviderBase, KernelProviderBase
from .providers.pyimport import IPykernelProvider
from .providers.spec import KernelSpecProvider
from .restarter import KernelRestarter
from .results import ExecutionResult, InterruptOutcome
from .subproc import SubprocessLauncher
from .wire_trace import TraceEntry, WireTrace, log_trace, trace_to_file

__version__ = "1.0.0.dev0"

__all__ = [
    # for applications
    "Backoff",
    "Configuration",
    "Comm",
    "Execution",
    "ExecutionResult",
    "InterruptOutcome",
    "Kernel",
    "KernelClient",
    "KernelFinder",
    "KernelPool",
    "KernelRestarter",
    "KernelState",
    "KernelTypeChange",
    "Match",
    "OutputDropped",
    "PoolMetrics",
    "connect",
    "find_kernels",
    "launch",
    "match_notebook",
    "with_kernel",
    # what happens to a kernel
    "ExecutionStateChanged",
    "ExitInfo",
    "KernelEvent",
    "KernelExited",
    "LaunchProgress",
    "Responsive",
    "RestartGaveUp",
    "RestartScheduled",
    "StateChanged",
    "Unresponsive",
    # for people who debug kernels
    "TraceEntry",
    "WireTrace",
    "log_trace",
    "trace_to_file",
    # for provider authors
    "BlockingLauncherBase",
    "BlockingManagerBase",
    "BlockingProviderBase",
    "Channels",
    "CommandTemplate",
    "KernelLauncherBase",
    "KernelManagerBase",
    "CanRestart",
    "KernelProviderBase",
    "KernelTypeInfo",
    "LaunchParameters",
    "LaunchRequest",
    "Limits",
    "Launched",
    "ProcessState",
    "RunningKernel",
    "SubprocessLauncher",
    # providers that come with the package
    "IPykernelProvider",
    "KernelSpecProvider",
    # errors
    "BadConfiguration",
    "BadParameters",
    "AlreadyInstalled",
    "ClientClosed",
    "ExecutionAborted",
    "ExecutionError",
    "ExecutionInterrupted",
    "ExecutionTimeout",
    "InstallError",
    "KernelDied",
    "KernelError",
    "KernelRestarted",
    "KernelUnresponsive",
    "LaunchError",
    "NoReply",
    "NoSuchKernel",
    "NoSuchProvider",
    "NoSuchResource",
    "NotOwned",
    "RestartFailed",
    "StartupTimeout",
    "SubshellError",
    "Unsupported",
]
