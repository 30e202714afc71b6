"""`popen`: start a process that gets interrupts, even where this one ignores them.

A shell starts what it runs in the background with SIGINT ignored, which children inherit: their kernels
could not be interrupted.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any


def popen(argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """`subprocess.Popen` with SIGINT as by default in the child. Raises what Popen does.

    May be called in any thread.
    """
    if sys.platform == "win32" or signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        return subprocess.Popen(argv, **options)
    if threading.current_thread() is not threading.main_thread():  # which alone can change it
        return subprocess.Popen(argv, preexec_fn=_reset, **options)
    signal.signal(signal.SIGINT, _ignore)  # what a process catches its child does not inherit
    try:
        return subprocess.Popen(argv, **options)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _reset() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _ignore(number: int, frame: FrameType | None) -> None:
    """What SIG_IGN does."""
