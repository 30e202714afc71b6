"""`KernelOptions`: what `launch`, `connect` and `Kernel.from_launched` have in common."""

from dataclasses import dataclass

from ._prompts import StdinHandler
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
