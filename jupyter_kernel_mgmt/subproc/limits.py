"""Limits on what a kernel's process may use, set from here as soon as it runs.

Its children inherit them. Linux alone can limit another process; elsewhere a limit is refused.
"""

import os
import sys
from dataclasses import asdict

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

        Raises `Unsupported`, naming the limit, for one that is forbidden or that the system cannot hold.
        """
        for name, value in asdict(limits).items():
            if value is not None:
                try:
                    _set(pid, name, value)
                except ProcessLookupError:  # it has ended already, which is told elsewhere
                    return
                except (OSError, OverflowError, ValueError) as error:
                    why = "is not allowed here" if isinstance(error, PermissionError) else f"fails: {error}"
                    raise Unsupported("limits", f"{name}={value} {why}") from error

    def _set(pid: int, name: str, value: int) -> None:
        if name == "nice":
            os.setpriority(os.PRIO_PROCESS, pid, value)
            return
        number, grace = _RLIMITS[name]
        hard = value + grace
        _, ceiling = resource.prlimit(pid, number)
        allowed = hard if ceiling == resource.RLIM_INFINITY else min(hard, ceiling)
        resource.prlimit(pid, number, (min(value, allowed), allowed))

    _RLIMITS = {
        "memory": (resource.RLIMIT_AS, 0),
        "cpu_time": (resource.RLIMIT_CPU, CPU_GRACE),
        "open_files": (resource.RLIMIT_NOFILE, 0),
    }
    """Numbers of limits, and by how much the hard value is above the soft one."""

else:

    def limit(pid: int, limits: Limits) -> None:
        """Nothing: what could not be limited was refused."""
