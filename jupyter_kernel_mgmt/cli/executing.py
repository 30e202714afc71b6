"""`execute`: one piece of code on a kernel of its own, its output on its way to ours."""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from jupyter_protocol import Message

from ..execution import Execution
from ..kernel import Kernel
from ..opening import launch
from ..results import ExecutionResult
from .exit_codes import ExitCode
from .program import say
from .running import Signalled, on_signals
from .shown import of_error, shown, write

OUTPUT_KEPT = 65_536
"""Bytes of output kept in memory: it has been written when it arrived."""

EXIT_CODES = {"ok": ExitCode.OK, "interrupted": ExitCode.INTERRUPTED, "timeout": ExitCode.TIMEOUT}
"""What a shell learns of how code ended, by the status; any other is a failure."""


async def execute(
    kernel_type: str,
    code: str,
    *,
    timeout: float | None = None,
    cwd: str | os.PathLike[str] | None = None,
    launch_params: Mapping[str, Any] | None = None,
    answers: bool = False,
) -> int:
    """Run code on a fresh kernel and return the exit code. With ``answers`` the terminal answers questions.

    Raises as `launch` and `Execution` do, and `BrokenPipeError` where nobody reads our output; the kernel
    is ended in any case. Cancelling ends it too.
    """
    running = Running()
    stdin = running.ask if answers else None
    async with launch(kernel_type, cwd=cwd, launch_params=launch_params, stdin=stdin) as kernel:
        result = await running.run(kernel, code, timeout)
    if result.error is not None and not running.error_shown:
        write(of_error(result.error))
    if result.status == "timeout":
        say(f"the code ran longer than {timeout:g} s")
    return EXIT_CODES.get(result.status or "", ExitCode.FAILED)


class Running:
    """Code that runs: shows its output, asks its questions, and is interrupted by Ctrl-C."""

    def __init__(self) -> None:
        self.error_shown = False
        self._execution: Execution | None = None
        self._task: asyncio.Task[object] | None = None
        self._interrupting: asyncio.Task[object] | None = None
        self._ended: Exception | None = None

    async def run(self, kernel: Kernel, code: str, timeout: float | None) -> ExecutionResult:
        """Run the code to its end.

        Raises `Signalled` at the second Ctrl-C, and `BrokenPipeError` as soon as nobody reads our output.
        """
        self._task = asyncio.current_task()
        kernel.client.add_handler(self._show, ["iopub"])
        self._execution = kernel.execute(code, timeout=timeout, output_limit=OUTPUT_KEPT)
        try:
            with on_signals((signal.SIGINT,), lambda _: self.interrupt()):
                return await self._execution
        except asyncio.CancelledError:
            if self._ended is not None:
                raise self._ended from None
            raise
        finally:
            kernel.client.remove_handler(self._show)
            if self._interrupting is not None:
                self._interrupting.cancel()
                with suppress(asyncio.CancelledError):
                    await self._interrupting

    def interrupt(self) -> None:
        """What Ctrl-C does: interrupt the code; the second time, end everything."""
        if self._interrupting is not None:
            self._end(Signalled(signal.SIGINT))
        elif self._execution is not None:
            self._interrupting = asyncio.create_task(self._execution.interrupt())

    async def ask(self, prompt: str, password: bool) -> str:  # noqa: FBT001 - a StdinHandler
        """Ask the terminal's user what the code asks. Ctrl-C and Ctrl-D there interrupt the code."""
        from .asking import ask

        try:
            return await ask(prompt, password=password)
        except (KeyboardInterrupt, EOFError):
            self.interrupt()
            await asyncio.Event().wait()  # until the question is withdrawn: there is no answer
            raise

    def _show(self, channel: str, message: Message) -> None:
        if self._execution is None or message.parent_id != self._execution.msg_id:
            return
        piece = shown(message)
        if piece is None or self._ended is not None:
            return
        self.error_shown = self.error_shown or message.msg_type == "error"
        try:
            write(piece)
        except OSError as error:
            self._end(error)

    def _end(self, error: Exception) -> None:
        self._ended = error
        if self._task is not None:
            self._task.cancel()
