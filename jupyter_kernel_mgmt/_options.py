"""Options: those that `launch`, `connect` and `Kernel.from_launched` share, and all of `launch` together."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from ._prompts import StdinHandler
from .discovery import KernelFinder
from .launching import Encryption, EnvPolicy, Limits, Output, Transport
from .wire_trace import WireTrace

STARTUP_TIMEOUT = 60.0
"""Seconds that a kernel has to become ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelOptions:
    """Times in seconds. Raises `ValueError` for an ``unresponsive_after`` that is not more than nothing."""

    startup_timeout: float = STARTUP_TIMEOUT
    unresponsive_after: float | None = None
    stdin: StdinHandler | None = None
    trace: WireTrace | None = None

    def __post_init__(self) -> None:
        seconds = self.unresponsive_after
        if seconds is not None and not seconds > 0:
            raise ValueError(f"unresponsive_after must be more than 0 seconds, not {seconds!r}")


class LaunchOptions(TypedDict, total=False):
    """The options of `launch` that a pool passes on; ``cwd`` and ``env`` are what its kernels begin with."""

    cwd: str | os.PathLike[str] | None
    env: Mapping[str, str] | None
    env_policy: EnvPolicy
    launch_params: Mapping[str, Any] | None
    extra_arguments: Sequence[str]
    limits: Limits | None
    prefix: Sequence[str]
    transport: Transport
    encryption: Encryption
    packer: str
    output: Output
    startup_timeout: float
    unresponsive_after: float | None
    stdin: StdinHandler | None
    finder: KernelFinder | None
    forkserver: bool
    trace: WireTrace | None
