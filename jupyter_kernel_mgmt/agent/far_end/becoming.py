"""What a new child does to itself, between the fork and its program."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time

assert sys.platform != "win32"

from .forks import Forked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from .forks import Veil


class Refused(Exception):
    """A child cannot be made, or cannot become what was asked for; the text says why."""

    def facts(self) -> dict[str, Any]:
        """What the owner is told."""
        cause = self.__cause__
        return {"text": str(self), "errno": cause.errno if isinstance(cause, OSError) else None}


def become(command: dict[str, Any], env: dict[str, str], output: int, status: int, veil: Veil) -> NoReturn:
    """In the child: become what a command asks for. Errors are told through ``status``, which exec closes."""
    try:
        os.setsid()
        _reset_signals()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        for fd in (1, 2):
            os.dup2(null if output < 0 else output, fd)
        _close_all(keep=status)
        _limit(command.get("limits", {}))
        _enter(command.get("cwd"))
        if command["do"] == "start":
            _execute(command["argv"], env)
        veil.put_on(command.get("mark") or "")
        os.environ.clear()
        os.environ.update(env)
        if "TZ" in env:
            time.tzset()
        entry = _entry(command["entry"])
        os.close(status)
    except Refused as error:
        _tell(status, error.facts())
    except BaseException as error:  # noqa: BLE001 - whatever it is, this process must not become a second agent
        _tell(status, {"text": f"{type(error).__name__}: {error}", "errno": None})
    raise Forked(entry, command["argv"])


def _tell(status: int, error: dict[str, Any]) -> NoReturn:
    try:
        os.write(status, json.dumps(error).encode()[: select.PIPE_BUF])
    finally:
        os._exit(127)


def _reset_signals() -> None:
    """As Python has them when it starts. The agent's handlers must not outlive the fork."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if number in (signal.SIGKILL, signal.SIGSTOP):
            continue
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _close_all(keep: int) -> None:
    """Close every descriptor but 0, 1, 2 and one more."""
    try:
        found = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        found = list(range(3, 4096))
    for fd in found:
        if fd > 2 and fd != keep:
            with contextlib.suppress(OSError):
                os.close(fd)


def _limit(limits: dict[str, int | None]) -> None:
    if not limits:
        return
    import resource

    kinds = (
        ("memory", resource.RLIMIT_AS, 0),
        # A second after SIGXCPU, which a program may handle, comes SIGKILL.
        ("cpu_time", resource.RLIMIT_CPU, 1),
        ("open_files", resource.RLIMIT_NOFILE, 0),
    )
    for name, kind, grace in kinds:
        value = limits.get(name)
        if value is None:
            continue
        try:
            hard = resource.getrlimit(kind)[1]
            most = value + grace if hard == resource.RLIM_INFINITY else min(hard, value + grace)
            resource.setrlimit(kind, (value, most))
        except (OSError, ValueError, OverflowError) as error:
            raise Refused(f"the limit {name}={value} cannot be set: {error}") from error
    nice = limits.get("nice")
    if nice is not None:
        try:
            os.nice(nice)
        except OSError as error:
            raise Refused(f"the limit nice={nice} cannot be set: {error.strerror}") from error


def _enter(cwd: str | None) -> None:
    if cwd is None:
        return
    try:
        os.chdir(cwd)
    except OSError as error:
        raise Refused(f"the working directory {cwd} cannot be entered: {error.strerror}") from error


def _execute(argv: list[str], env: dict[str, str]) -> NoReturn:
    try:
        os.execvpe(argv[0], argv, env)  # noqa: S606 - what it was asked for
    except OSError as error:
        raise Refused(f"the executable {argv[0]!r} cannot be run: {error.strerror}") from error


def _entry(name: str) -> Callable[[], Any]:
    import importlib

    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise Refused(f"{name!r} cannot be called")
    return found  # type: ignore[no-any-return]
