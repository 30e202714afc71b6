"""`Repl`: read code, have it run, show what comes, again."""

import asyncio
import signal
from functools import partial

from prompt_toolkit.application import run_in_terminal

from jupyter_protocol import Message

from ..execution import Execution
from ..kernel import Kernel
from ..results import ExecutionResult, InterruptOutcome
from .asking import ask
from .entry import Entry, past_inputs
from .exit_codes import ExitCode
from .program import say
from .running import on_signals
from .shown import Piece, of_error, shown, write

OUTPUT_KEPT = 65_536
"""Bytes of output kept in memory: it has been shown when it arrived."""


class Repl:
    """A console on one kernel. ``ask`` answers the kernel's questions."""

    def __init__(self) -> None:
        self._entry: Entry | None = None
        self._execution: Execution | None = None
        self._interrupting: asyncio.Task[None] | None = None
        self._running: asyncio.Task[int] | None = None
        self._ignored = False  # an interrupt, by the code that runs
        self._leaving = False
        self._error_shown = False
        self._sent: set[str] = set()
        self._pieces: asyncio.Queue[Piece] = asyncio.Queue()
        self._at_line_start = True

    async def run(self, kernel: Kernel) -> int:
        """Go on until the user leaves; returns the exit code.

        Raises as `Execution` does when the kernel is lost. Cancelling it is safe.
        """
        self._running = asyncio.current_task()
        self._entry = Entry(kernel, await past_inputs(kernel))
        kernel.client.add_handler(self._arrived, ["iopub"])
        showing = asyncio.create_task(self._show_pieces(), name="console-show")
        try:
            with on_signals((signal.SIGINT,), lambda _: self._interrupt()):
                return await self._loop(kernel, self._entry)
        except asyncio.CancelledError:
            if not self._leaving:
                raise
            say("left; the code did not heed the interrupt")
            return ExitCode.INTERRUPTED
        finally:
            kernel.client.remove_handler(self._arrived)
            tasks = [task for task in (showing, self._interrupting) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def ask(self, prompt: str, password: bool) -> str:  # noqa: FBT001 - a StdinHandler
        """Ask the user what the code asks. Ctrl-C and Ctrl-D there interrupt the code."""
        await self._pieces.join()
        try:
            return await ask(prompt, password=password)
        except (KeyboardInterrupt, EOFError):
            self._interrupt()
            await asyncio.Event().wait()  # until the question is withdrawn: there is no answer
            raise

    async def _loop(self, kernel: Kernel, entry: Entry) -> int:
        number = 1
        while True:
            self._finish_line()
            try:
                code = await entry.read(number)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return ExitCode.OK
            if code.strip():
                result = await self._execute(kernel, code)
                number = (result.execution_count or number) + 1

    async def _execute(self, kernel: Kernel, code: str) -> ExecutionResult:
        self._ignored = self._error_shown = False
        self._execution = kernel.execute(code, output_limit=OUTPUT_KEPT)
        self._sent.add(self._execution.msg_id)
        try:
            result = await self._execution
        finally:
            self._execution = None
        if result.error is not None and not self._error_shown:
            self._pieces.put_nowait(of_error(result.error))
        await self._pieces.join()
        return result

    # What Ctrl-C does while code runs; at the prompt it is a key

    def _interrupt(self) -> None:
        if self._execution is None:
            return
        if self._ignored and self._running is not None:
            self._leaving = True
            self._running.cancel()
        elif self._interrupting is None or self._interrupting.done():
            self._interrupting = asyncio.create_task(self._interrupt_code(self._execution))

    async def _interrupt_code(self, execution: Execution) -> None:
        outcome = await execution.interrupt()
        if outcome is InterruptOutcome.IGNORED and execution is self._execution:
            self._ignored = True
            say("the code goes on in spite of the interrupt; Ctrl-C once more leaves")

    # What arrives, in order; above the prompt where there is one

    def _arrived(self, channel: str, message: Message) -> None:
        if message.parent_id in self._sent and (piece := shown(message)) is not None:
            self._error_shown = self._error_shown or message.msg_type == "error"
            self._pieces.put_nowait(piece)

    async def _show_pieces(self) -> None:
        while True:
            piece = await self._pieces.get()
            try:
                if self._entry is not None and self._entry.session.app.is_running:
                    await run_in_terminal(partial(self._write_whole, piece))
                else:
                    self._write(piece)
            finally:
                self._pieces.task_done()

    def _write(self, piece: Piece) -> None:
        write(piece)
        if piece.text:
            self._at_line_start = piece.text.endswith("\n")

    def _write_whole(self, piece: Piece) -> None:
        """Above a prompt only whole lines have a place."""
        self._write(piece)
        self._finish_line()

    def _finish_line(self) -> None:
        if not self._at_line_start:
            self._write(Piece("stdout", "\n"))
