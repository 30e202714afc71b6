"""`ProcessGroup`: a kernel's process and what it starts, as something that can be signalled as one.

A session of its own on POSIX. Windows has neither sessions nor signals: there it is a job (see `windows`).
"""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Protocol

log = logging.getLogger(__name__)


class ProcessGroup(Protocol):
    """Made before the process is started, closed when it has ended. One a process."""

    def options(self) -> dict[str, Any]:
        """What `subprocess.Popen` is told."""
        ...

    def environment(self) -> Mapping[str, str]:
        """What the process has to find in its environment, besides what every kernel is told."""
        ...

    def started(self, process: "subprocess.Popen[bytes]") -> None:
        """It runs. Raises `OSError` where it cannot be kept together with what it starts."""
        ...

    def signal(self, number: int) -> None:
        """Signal all of it, as long as its first process is not reaped. Nothing happens when it is gone."""
        ...

    def close(self) -> None:
        """Release what belongs to us. May be called again."""
        ...


if sys.platform == "win32":
    from .windows import Job

    def new_group() -> ProcessGroup:
        """For a process that is about to be started. Raises `OSError`."""
        return Job()

else:

    class Session:
        """A POSIX session, led by the process."""

        def __init__(self) -> None:
            self._pid = 0

        def options(self) -> dict[str, Any]:
            return {"start_new_session": True}

        def environment(self) -> Mapping[str, str]:
            return {}

        def started(self, process: "subprocess.Popen[bytes]") -> None:
            self._pid = process.pid

        def signal(self, number: int) -> None:
            if self._pid == 0:  # not started: it would be our own group
                return
            try:
                os.killpg(self._pid, number)
            except (ProcessLookupError, PermissionError) as error:  # macOS refuses for a group of zombies
                log.debug("Signal %d was not delivered to %d: %s", number, self._pid, error)

        def close(self) -> None:
            """There is nothing to release."""

    def new_group() -> ProcessGroup:
        """For a process that is about to be started."""
        return Session()
