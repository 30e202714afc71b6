"""Limits on what a kernel's process may use, set from here as soon as it runs.

Its children inherit them. Linux alone can limit another process; elsewhere a limit is refused.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

from ..exceptions import Unsupported
from ..launching import Limits

if sys.platform == "linux":
    import resource

CPU_GRACE = 5
"""Seconds of processor time between SIGXCPU, which a kernel may catch, and SIGKILL."""


def refuse_what_cannot_be_limited(limits: Limits) -> None:
    """Raises `Unsupported` where this system cannot do it."""
    if limits != Limits() and sys.platform != "linux":
        raise Unsupported("limits", f"{sys.platform} cannot limit a process that was started already")


if sys.platform == "linux":

    def limit(pid: int, limits: Limits) -> None:
        """Set them for a process, none above what it may have.

        Raises `Unsupported` for a forbidden niceness.
        """
        with suppress(ProcessLookupError):  # it has ended already, which is told elsewhere
            for number, (soft, hard) in _rlimits(limits):
                _, ceiling = resource.prlimit(pid, number)
                allowed = hard if ceiling == resource.RLIM_INFINITY else min(hard, ceiling)
                resource.prlimit(pid, number, (min(soft, allowed), allowed))
            if limits.nice is not None:
                _set_niceness(pid, limits.nice)

    def _set_niceness(pid: int, nice: int) -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, pid, nice)
        except PermissionError as error:
            raise Unsupported("limits", f"nice={nice} is not allowed here") from error

    def _rlimits(limits: Limits) -> Iterator[tuple[int, tuple[int, int]]]:
        """Numbers of limits, each with the soft and the hard value."""
        if limits.memory is not None:
            yield resource.RLIMIT_AS, (limits.memory, limits.memory)
        if limits.cpu_time is not None:
            yield resource.RLIMIT_CPU, (limits.cpu_time, limits.cpu_time + CPU_GRACE)
        if limits.open_files is not None:
            yield resource.RLIMIT_NOFILE, (limits.open_files, limits.open_files)

else:

    def limit(pid: int, limits: Limits) -> None:
        """Nothing: what could not be limited was refused."""
