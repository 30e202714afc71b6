"""Forks of the agent: what they have in common, what tells them apart, and how one of them runs."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

assert sys.platform != "win32"

from .ward import MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

PREPARE_LIMIT = 60
"""Seconds for imports, if the owner does not say; then SIGALRM ends the agent, however they hang."""


def prepare(command: dict[str, Any]) -> dict[str, Any]:
    """Import what a command names and run its code: what could not be, and what was made on the way."""
    before = set(os.listdir("/dev/fd"))
    problems = {}
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(command.get("timeout", PREPARE_LIMIT))
    for name in command.get("modules", ()):
        try:
            __import__(name)
        except BaseException as error:  # noqa: BLE001 - somebody else's code, whatever it raises
            problems[name] = f"{type(error).__name__}: {error}"
    if command.get("code"):
        try:
            exec(compile(command["code"], "<prepare>", "exec"), {"__name__": "prepare"})  # noqa: S102
        except BaseException as error:  # noqa: BLE001 - the owner's code, likewise
            problems["code"] = f"{type(error).__name__}: {error}"
    signal.alarm(0)
    import gc

    gc.collect()
    gc.freeze()  # so that children do not copy pages only to count references
    opened = len(set(os.listdir("/dev/fd")) - before)
    return {"problems": problems, "threads": threads(), "descriptors": opened}


def threads() -> int:
    """How many threads this process has, those of C libraries included where that can be seen."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


class Veil:
    """The place of our mark in the environment block that /proc shows, to be overwritten in forked children.

    /proc/PID/environ shows what a program was exec'd with, so that a forked child, and its forked children,
    would carry the agent's mark. The owner leaves room for others by giving the agent a long one.
    """

    def __init__(self) -> None:
        self._address, self._size = 0, 0
        room = len(os.environ.get(MARK, ""))
        if room < 64 or not os.path.exists("/proc/self/environ"):
            return
        try:
            import ctypes

            getenv = ctypes.CDLL(None).getenv
            getenv.argtypes, getenv.restype = [ctypes.c_char_p], ctypes.c_void_p
            self._address, self._size = getenv(MARK.encode()) or 0, room
        except (ImportError, OSError, AttributeError):
            return

    def put_on(self, mark: str) -> None:
        """Show this mark instead, if there is room for it."""
        text = os.fsencode(mark)
        if self._address and len(text) <= self._size:
            import ctypes

            ctypes.memmove(self._address, text.ljust(self._size, b"\0"), self._size)


class Forked(BaseException):
    """Raised in a forked child, up through the agent's frames, so that none of them is left below it."""

    def __init__(self, entry: Callable[[], Any], argv: list[str]) -> None:
        super().__init__()
        self.entry = entry
        self.argv = argv


def _python_signals() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def run_forked(entry: Callable[[], Any], argv: list[str]) -> NoReturn:
    """In a forked child: run the program, then end as an interpreter does."""
    import atexit
    import threading
    import traceback

    _python_signals()
    sys.argv = list(argv)
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = [sys.executable, *argv]
    agent = sys.modules["__main__"]
    sys.modules["__main__"] = type(sys)("__main__")
    sys.modules["__main__"].__dict__["__builtins__"] = agent.__dict__.get("__builtins__")
    random = sys.modules.get("numpy.random")
    if random is not None:  # the standard library's reseeds itself after a fork
        with contextlib.suppress(Exception):
            random.seed()
    code: Any = 0
    interrupted = False
    try:
        entry()
    except SystemExit as error:
        code = error.code
    except BaseException as error:  # noqa: BLE001 - as the interpreter does with what nobody handles
        interrupted = isinstance(error, KeyboardInterrupt)
        code = 1
        sys.excepthook(type(error), error, error.__traceback__)
    if code is not None and not isinstance(code, int):
        with contextlib.suppress(Exception):
            sys.stderr.write(f"{code}\n")
        code = 1
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
    except BaseException:  # noqa: BLE001 - likewise
        traceback.print_exc()
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit((code or 0) & 0xFF)
