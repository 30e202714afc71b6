"""`Agent`: our end of a far-end agent, which owns processes and outlives us just long enough to end them."""

import asyncio
import contextlib
import logging
import os
import secrets
import sys
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ..exceptions import KernelError, LaunchError
from ..launching import ExitInfo
from ._answers import HELLO, Answers
from ._commands import exit_info, guard_command, prepare_command, start_command
from ._connection import Connection
from ._far_process import FarProcess, end_from_here, start_of
from .processes import AgentProcess

log = logging.getLogger(__name__)

START_TIMEOUT = 30.0
"""Seconds that an agent has to say hello, and a process to be started."""

PREPARE_TIMEOUT = 60.0
"""Seconds that imports may take."""

CLOSE_TIMEOUT = 3.0
"""Seconds that an agent has to end everything, before that is done from here."""


class Agent:
    """A process that starts, forks, watches, signals and ends others for us, and ends them when we are gone.

    ``python`` runs it; ``isolated`` without site-packages and environment, which is quickest and all that
    a guard needs. ``env`` is its environment, by default ours, and what its processes inherit. ``prefix``
    is a command in front, such as ``("ssh", "host")``: then it is sent as text, as with ``as_text``, and
    our pid is not watched, nor can descriptors be handed over. ``on_end(reason)`` is called when it ended
    without having been asked. Belongs to one loop; not for Windows.
    """

    def __init__(
        self,
        *,
        python: str = sys.executable,
        isolated: bool = False,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        as_text: bool = False,
        on_end: Callable[[str], None] | None = None,
    ) -> None:
        self.python = python
        self.isolated = isolated
        self.env = dict(os.environ if env is None else env)
        self.prefix = tuple(prefix)
        self.as_text = as_text or bool(prefix)
        self.pid = 0
        self.hello: dict[str, Any] = {}
        self.prepared: dict[str, Any] = {}
        self.ended: str | None = None
        self._on_end = on_end
        self._connection = Connection(self._event, self._lost)
        self._far: FarProcess | None = None
        self._answers = Answers()
        self._processes: dict[str, AgentProcess] = {}
        self._ending: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()

    def __repr__(self) -> str:
        state = self.ended or ("running" if self._far else "not started")
        return f"<Agent pid={self.pid} {state}>"

    # Its life

    @classmethod
    async def start(
        cls, *, prepare: Sequence[str] = (), code: str = "", timeout: float = PREPARE_TIMEOUT, **options: Any
    ) -> Self:
        """Start one, and have it import the modules of ``prepare`` and run ``code``.

        ``options`` are those of the class. What could not be imported is in ``prepared["problems"]``.
        Raises `LaunchError`. Cancelling leaves nothing behind.
        """
        agent = cls(**options)
        try:
            agent.open()
            await agent.ready()
            if prepare or code:
                await agent.prepare(prepare, code=code, timeout=timeout)
        except BaseException:
            await agent.aclose()
            raise
        return agent

    def open(self) -> None:
        """Start the process, without waiting for it: `guard` works from here on. Raises `LaunchError`."""
        far = FarProcess(
            self.python,
            isolated=self.isolated,
            prefix=self.prefix,
            as_text=self.as_text,
            env=self.env,
            on_end=lambda: self._lost("it ended"),
        )
        theirs = self._connection.open()
        try:
            text = far.open(theirs)
        except (OSError, ValueError) as error:
            self._connection.close()
            self.ended = f"it could not be started: {error}"
            raise LaunchError(f"an agent cannot be run by {self.python!r}: {error}") from error
        except BaseException:
            self._connection.close()
            raise
        finally:
            theirs.close()
        self._far, self.pid = far, far.pid
        if text:
            self._connection.send_text(text)

    async def ready(self, timeout: float = START_TIMEOUT) -> None:
        """Wait for its hello. Raises `LaunchError`, with what it wrote to stderr. Cancelling is safe."""
        if not self.hello:
            await self._answer(HELLO, timeout, "say hello")

    async def prepare(
        self, modules: Sequence[str], *, code: str = "", timeout: float = PREPARE_TIMEOUT
    ) -> dict[str, Any]:
        """Import modules and run ``code`` in it, for `fork`; before the first process, and without threads.

        Returns ``problems`` (a text for each module that could not be imported), ``threads`` and
        ``descriptors`` (how many were opened, and will be closed in the children). Raises `LaunchError`.
        """
        command = prepare_command(modules, code, timeout)
        self.prepared = await self._ask(command, timeout + 1, "import what it should")
        return self.prepared

    async def aclose(self) -> None:
        """End it and all that it started or guards. May be called again; bounded by some `CLOSE_TIMEOUT`.

        When cancelled it still waits for that end. In a process forked off its owner it only closes what
        that process holds of it.
        """
        if self._far is None:
            return
        if os.getpid() != self._far.owner:
            self._connection.abandon()
            return
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(None), name="agent-end")
        try:
            await asyncio.shield(self._ending)
        except asyncio.CancelledError:
            await asyncio.wait([self._ending])
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    # What it does

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        id: str | None = None,
        env: Mapping[str, str | None] | None = None,
        inherit: bool | Sequence[str] = True,
        cwd: str | Path | None = None,
        limits: Mapping[str, int | None] | None = None,
        mark: str | None = None,
        files: Sequence[str | Path] = (),
        directories: Sequence[str | Path] = (),
        stdout: int | None = None,
        on_output: Callable[[bytes], None] | None = None,
        timeout: float = START_TIMEOUT,
    ) -> AgentProcess:
        """Start a command in a session of its own, without input; returns once it was exec'd.

        ``env`` is added to what it inherits from the agent (all, nothing, or the names in ``inherit``);
        None removes a variable. ``limits`` may have memory (bytes), cpu_time (seconds), open_files and
        nice. ``files`` and ``directories`` are removed after its end. stdout and stderr go to the descriptor
        ``stdout``, of which a copy is handed over at once; else the agent keeps their end for `ExitInfo`
        and, with ``on_output``, passes them on. Raises `LaunchError`. Cancelling ends the process.
        """
        process = self._process_for(id, mark, files, directories, on_output)
        command = start_command(
            process,
            argv,
            env=env,
            inherit=inherit,
            cwd=self._directory(cwd),
            limits=limits,
            handed_over=stdout is not None,
        )
        return await self._launch(process, command, stdout, timeout)

    async def fork(
        self,
        entry: str,
        argv: Sequence[str],
        *,
        id: str | None = None,
        env: Mapping[str, str | None] | None = None,
        inherit: bool | Sequence[str] = True,
        cwd: str | Path | None = None,
        limits: Mapping[str, int | None] | None = None,
        mark: str | None = None,
        files: Sequence[str | Path] = (),
        directories: Sequence[str | Path] = (),
        stdout: int | None = None,
        on_output: Callable[[bytes], None] | None = None,
        timeout: float = START_TIMEOUT,
    ) -> AgentProcess:
        """Fork a process off the prepared agent that calls ``entry`` ("module:function") with ``sys.argv``.

        As `spawn` otherwise; see `needs_new_interpreter` for what a fork cannot change. Returns when the
        function is about to be called.
        """
        process = self._process_for(id, mark, files, directories, on_output)
        command = start_command(
            process,
            argv,
            entry=entry,
            env=env,
            inherit=inherit,
            cwd=self._directory(cwd),
            limits=limits,
            handed_over=stdout is not None,
        )
        return await self._launch(process, command, stdout, timeout)

    def guard(
        self,
        id: str,
        *,
        pid: int | None = None,
        mark: str | None = None,
        files: Sequence[str | Path] = (),
        directories: Sequence[str | Path] = (),
    ) -> None:
        """Have a process of our own ended, and its files removed, should we go away. Does not wait.

        First with mark and files, before the process is started; again with its pid, which keeps the
        rest. The pid's start is read here, so that the number is of no use once it is somebody else's.
        Raises `RuntimeError` before `open`; once the agent has ended nothing happens.
        """
        if self._far is None:
            raise RuntimeError("the agent is not open, and would guard nothing")
        start = None if pid is None else start_of(pid)
        self._connection.send(
            guard_command(id, pid=pid, start=start, mark=mark, files=files, directories=directories)
        )

    def release(self, id: str, *, end: bool = False) -> None:
        """Guard it no more; with ``end``, end what is left of it and remove its files. Does not wait."""
        self._connection.send({"do": "end" if end else "release", "id": id})

    async def signal(self, id: str, number: int) -> None:
        """Send a signal to a group. Nothing happens when it, or the agent, has ended. See `AgentProcess`."""
        await self._order({"do": "signal", "id": id, "number": int(number)})

    async def end(self, id: str) -> None:
        """Kill whatever belongs to a process, as when its owner had gone away."""
        await self._order({"do": "end", "id": id})

    async def _order(self, command: dict[str, Any]) -> None:
        try:
            await self._ask(command, START_TIMEOUT, command["do"])
        except LaunchError as error:
            if self.ended is None:
                raise KernelError(str(error)) from None

    # Asking and being told

    def _process_for(
        self,
        id: str | None,
        mark: str | None,
        files: Sequence[str | Path],
        directories: Sequence[str | Path],
        on_output: Callable[[bytes], None] | None,
    ) -> AgentProcess:
        id = id or secrets.token_hex(8)
        process = AgentProcess(self, id, mark or f"{id}:{secrets.token_hex(8)}")
        process.files = tuple(map(str, files))
        process.directories = tuple(map(str, directories))
        process.on_output = on_output
        return process

    async def _launch(
        self, process: AgentProcess, command: dict[str, Any], stdout: int | None, timeout: float
    ) -> AgentProcess:
        if process.id in self._processes:
            raise LaunchError(f"this agent has a process {process.id!r} already")
        if self.ended is not None:
            raise LaunchError(f"the agent has ended: {self.ended}")
        self._processes[process.id] = process
        try:
            event = await self._ask(command, timeout, "start a process", descriptor=stdout)
        except BaseException:
            if self._processes.get(process.id) is process:  # else it has ended, or its agent has
                self._connection.send({"do": "end", "id": process.id})
                del self._processes[process.id]
            raise
        process.pid, process.start = event["pid"], event["start"]
        return process

    def _directory(self, cwd: str | Path | None) -> str | None:
        """Where a process runs: like a child of ours in our directory, unless the agent is elsewhere."""
        if cwd is not None:
            return str(cwd)
        with contextlib.suppress(OSError):  # ours was removed
            return None if self.prefix else str(Path.cwd())
        return None

    async def _ask(
        self, command: dict[str, Any], timeout: float, what: str, *, descriptor: int | None = None
    ) -> dict[str, Any]:
        number = self._answers.number()
        self._connection.send({**command, "re": number}, descriptor=descriptor)
        return await self._answer(number, timeout, what)

    async def _answer(self, number: int, timeout: float, what: str) -> dict[str, Any]:
        if self.ended is not None:
            raise LaunchError(f"the agent has ended: {self.ended}")
        return await self._answers.wait(number, timeout, what)

    def _event(self, event: dict[str, Any]) -> None:
        kind, process = event.get("event"), self._processes.get(str(event.get("id")))
        if kind == "hello":
            self.hello, self.pid = event, event["pid"]
        elif kind == "started" and process is not None:
            process.pid, process.start = event["pid"], event["start"]
        elif kind == "output" and process is not None:
            process.wrote(b64decode(event["data"]))
        elif kind == "exited" and process is not None:
            del self._processes[process.id]
            process.ended(exit_info(event))
        if not self._answers.take(event) and kind == "failed" and event.get("re") is None:
            log.error("An agent refused: %s", event.get("text"))

    # Its end

    def _lost(self, reason: str) -> None:
        """It ended, or cannot be reached any more."""
        if self._ending is None and not asyncio.get_running_loop().is_closed():
            self._ending = asyncio.create_task(self._end(reason), name="agent-end")
        self._gone.set()

    async def _end(self, reason: str | None) -> None:
        """Everything that has to happen at its end, wanted (without a reason) or not."""
        if reason is None:
            self._connection.send({"do": "close"})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._gone.wait()
        self._connection.close()
        assert self._far is not None
        said = await self._far.end()
        self.ended = reason or "it was closed"
        if reason is not None and said:
            self.ended += f"; it wrote:\n{said}"
        try:
            await self._end_processes()
        finally:
            self._answers.end(f"the agent has ended: {self.ended}")
            if reason is not None:
                log.error("An agent has ended: %s", self.ended)
                self._tell(self.ended)

    def _tell(self, reason: str) -> None:
        if self._on_end is None:
            return
        try:
            self._on_end(reason)
        except Exception:  # the application's code
            log.exception("The callback for the end of an agent failed")

    async def _end_processes(self) -> None:
        """Those whose end it did not tell: it did not see to it either, unless it is elsewhere."""
        left = list(self._processes.values())
        self._processes.clear()
        try:
            if left and not self.prefix:
                await end_from_here(left)
        finally:
            for process in left:
                process.ended(ExitInfo(None, reason=f"the agent that watched it has ended: {self.ended}"))
