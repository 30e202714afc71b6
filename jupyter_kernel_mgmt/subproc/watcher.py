"""Learning that a child process ended, as an event on the loop; and how it ended."""

import asyncio
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress


def watch_exit(process: subprocess.Popen[bytes], ended: Callable[[], None]) -> Callable[[], None]:
    """Call ``ended`` on the running loop once the child has ended; what this returns stops the watch.

    On POSIX the child is left as a zombie, so that its process group can still be signalled safely; whoever
    watches has to reap it. Uses a pidfd where there is one and a thread elsewhere.
    """
    loop = asyncio.get_running_loop()
    if sys.platform != "linux":
        return _watch_in_thread(loop, process, ended)
    try:
        fd = os.pidfd_open(process.pid)
    except OSError:  # an old kernel, or a sandbox that forbids it
        return _watch_in_thread(loop, process, ended)

    def stop() -> None:
        nonlocal fd
        if fd >= 0:
            if not loop.is_closed():
                loop.remove_reader(fd)
            os.close(fd)
            fd = -1

    def readable() -> None:
        stop()
        ended()

    loop.add_reader(fd, readable)
    return stop


def _watch_in_thread(
    loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes], ended: Callable[[], None]
) -> Callable[[], None]:
    wanted = True

    def report() -> None:
        if wanted:
            ended()

    def wait() -> None:
        _wait(process)
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(report)

    def stop() -> None:
        nonlocal wanted
        wanted = False

    threading.Thread(target=wait, name=f"wait-for-{process.pid}", daemon=True).start()
    return stop


if sys.platform == "win32":

    def _wait(process: subprocess.Popen[bytes]) -> None:
        process.wait()

    def has_ended(process: subprocess.Popen[bytes]) -> bool:
        """Whether a child has ended by now."""
        return process.poll() is not None

    def reap(process: subprocess.Popen[bytes]) -> int | None:
        """The exit code of a child that has ended."""
        return process.poll()

else:
    if sys.platform == "darwin":  # whose Python has no waitid

        def _wait(process: subprocess.Popen[bytes]) -> None:
            """Block until a child has ended, or somebody else reaped it."""
            _ends_within(process.pid, None)

        def has_ended(process: subprocess.Popen[bytes]) -> bool:
            """Whether a child has ended by now; it is not reaped."""
            return _ends_within(process.pid, 0)

        def _ends_within(pid: int, seconds: float | None) -> bool:
            """Also of a child that has ended already, which is refused."""
            with closing(select.kqueue()) as queue:
                flags = select.KQ_EV_ADD | select.KQ_EV_ONESHOT
                event = select.kevent(pid, select.KQ_FILTER_PROC, flags, select.KQ_NOTE_EXIT)
                try:
                    return bool(queue.control([event], 1, seconds))
                except ProcessLookupError:
                    return True

    else:

        def _wait(process: subprocess.Popen[bytes]) -> None:
            """Block until a child has ended, or somebody else reaped it."""
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        def has_ended(process: subprocess.Popen[bytes]) -> bool:
            """Whether a child has ended by now; it is not reaped."""
            try:
                return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
            except ChildProcessError:
                return True

    def reap(process: subprocess.Popen[bytes]) -> int | None:
        """Reap a child that has ended: its exit code, negative for a signal.

        None where somebody else took it, as happens when SIGCHLD is ignored.
        """
        try:
            _, status = os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:
            process.returncode = 0  # so that Popen does not look for it again
            return None
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode
