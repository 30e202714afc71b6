"""`Agent`: our end of a far-end agent, which owns processes and outlives us just long enough to end them."""

import asyncio
import contextlib
import itertools
import logging
import os
import secrets
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Self

from .._threads import in_thread
from ..exceptions import KernelError, LaunchError
from ..launching import ExitInfo
from ._connection import Connection
from .processes import AgentProcess

log = logging.getLogger(__name__)

START_TIMEOUT = 30.0
"""Seconds that an agent has to say hello, and a process to be started."""

PREPARE_TIMEOUT = 60.0
"""Seconds that imports may take."""

CLOSE_TIMEOUT = 3.0
"""Seconds that an agent has to end everything, before that is done from here."""

LAST_WORDS = 0.1
"""Seconds in which what an agent said before it ended is read."""

MARK = "JUPYTER_KERNEL_MARK"
FAR_END = Path(__file__).with_name("far_end.py")

_BOOTSTRAP = """import os, sys
n, s = int(sys.argv.pop(1)), b""
while len(s) < n:
    c = os.read(0, n - len(s))
    if not c: sys.exit(1)
    s += c
exec(compile(s, "far_end.py", "exec"))
"""

Output = Literal["tail", "stream", "descriptor", "none"]


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
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._owner = 0
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._processes: dict[str, AgentProcess] = {}
        self._ending: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()
        self._pidfd = -1
        self._last_call: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        state = self.ended or ("running" if self._process else "not started")
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
        theirs = self._connection.open()
        try:
            self._owner = os.getpid()
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed at its end
            argv, text = self._command()
            self._process = subprocess.Popen(
                argv,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                # A long mark leaves room for those of forked children; see Veil in far_end.
                env={**self.env, MARK: "agent".ljust(200, "-")},
                cwd="/",
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._connection.close()
            self._close_files()
            self.ended = f"it could not be started: {error}"
            raise LaunchError(f"an agent cannot be run by {self.python!r}: {error}") from error
        except BaseException:
            self._connection.close()
            self._close_files()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid
        if text:
            self._connection.send_text(text)
        self._watch()

    def _command(self) -> tuple[list[str], bytes]:
        """The command, and the text of the program if it has to be sent."""
        python = [self.python, *(["-I", "-S"] if self.isolated else [])]
        owner = [] if self.prefix else [str(self._owner), *_start_of(self._owner)]
        if not self.as_text:
            return [*python, str(FAR_END), *owner], b""
        text = FAR_END.read_bytes()
        return [*self.prefix, *python, "-c", _BOOTSTRAP, str(len(text)), *owner], text

    def _watch(self) -> None:
        """Its end, also while somebody who forked off us meanwhile holds its end of the connection."""
        if sys.platform == "linux" and self._process is not None:
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(self._process.pid)
                asyncio.get_running_loop().add_reader(self._pidfd, self._exited)

    def _exited(self) -> None:
        self._unwatch()
        # What it said last is still in the connection, and is read before the connection's end is noticed.
        later = asyncio.get_running_loop().call_later
        self._last_call = later(LAST_WORDS, self._lost, "it ended")

    def _unwatch(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    async def ready(self, timeout: float = START_TIMEOUT) -> None:
        """Wait for its hello. Raises `LaunchError`, with what it wrote to stderr. Cancelling is safe."""
        if not self.hello:
            await self._answer(0, timeout, "say hello")

    async def prepare(
        self, modules: Sequence[str], *, code: str = "", timeout: float = PREPARE_TIMEOUT
    ) -> dict[str, Any]:
        """Import modules and run ``code`` in it, for `fork`; before the first process, and without threads.

        Returns ``problems`` (a text for each module that could not be imported), ``threads`` and
        ``descriptors`` (how many were opened, and will be closed in the children). Raises `LaunchError`.
        """
        command = {
            "do": "prepare",
            "modules": list(modules),
            "code": code,
            "timeout": max(1, round(timeout)),
        }
        self.prepared = await self._ask(command, timeout + 1, "import what it should")
        return self.prepared

    async def aclose(self) -> None:
        """End it and all that it started or guards. May be called again; bounded by some `CLOSE_TIMEOUT`.

        When cancelled it still waits for that end. In a process forked off its owner it only closes what
        that process holds of it.
        """
        if self._process is None:
            return
        if os.getpid() != self._owner:
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
        command: dict[str, Any] = {
            "do": "start",
            "argv": [*map(str, argv)],
            "env": env,
            "inherit": inherit,
            "cwd": cwd,
        }
        process = self._process_for(id, mark, files, directories, on_output)
        return await self._launch(command, process, limits, stdout, timeout)

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
        command: dict[str, Any] = {"do": "fork", "entry": entry, "argv": [*map(str, argv)]}
        command |= {"env": env, "inherit": inherit, "cwd": cwd}
        process = self._process_for(id, mark, files, directories, on_output)
        return await self._launch(command, process, limits, stdout, timeout)

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
        if self._process is None:
            raise RuntimeError("the agent is not open, and would guard nothing")
        command: dict[str, Any] = {"do": "guard", "id": id, "mark": mark, "pid": pid}
        if pid is not None:
            command["start"] = next(map(int, _start_of(pid)), None)
        if files:
            command["files"] = [*map(str, files)]
        if directories:
            command["directories"] = [*map(str, directories)]
        self._connection.send(command)

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
        self,
        command: dict[str, Any],
        process: AgentProcess,
        limits: Mapping[str, int | None] | None,
        stdout: int | None,
        timeout: float,
    ) -> AgentProcess:
        if process.id in self._processes:
            raise LaunchError(f"this agent has a process {process.id!r} already")
        if self.ended is not None:
            raise LaunchError(f"the agent has ended: {self.ended}")
        command |= {
            "id": process.id,
            "mark": process.mark,
            "cwd": self._directory(command["cwd"]),
            "env": dict(command["env"] or {}),
            "inherit": command["inherit"] if isinstance(command["inherit"], bool) else [*command["inherit"]],
            "limits": dict(limits or {}),
            "files": list(process.files),
            "directories": list(process.directories),
            "output": _output_mode(stdout, process.on_output),
        }
        self._processes[process.id] = process
        try:
            event = await self._ask(command, timeout, "start a process", descriptor=stdout)
        except BaseException:
            if process.pid == 0:
                self._connection.send({"do": "end", "id": process.id})
                self._processes.pop(process.id, None)
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
        number = next(self._numbers)
        self._connection.send({**command, "re": number}, descriptor=descriptor)
        return await self._answer(number, timeout, what)

    async def _answer(self, number: int, timeout: float, what: str) -> dict[str, Any]:
        if self.ended is not None:
            raise LaunchError(f"the agent has ended: {self.ended}")
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                event: dict[str, Any] = await answer
        except TimeoutError:
            raise LaunchError(f"the agent did not {what} within {timeout:.0f} s") from None
        finally:
            del self._answers[number]
        if event["event"] == "failed":
            raise LaunchError(str(event.get("text")))
        return event

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
            process.ended(_exit_info(event))
        answer = self._answers.get(0 if kind == "hello" else event.get("re") or -1)
        if answer is not None and not answer.done():
            answer.set_result(event)
        elif kind == "failed" and event.get("re") is None:
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
        self._unwatch()
        if self._last_call is not None:
            self._last_call.cancel()
        self._connection.close()
        assert self._process is not None
        self._process.kill()
        try:
            await in_thread(self._process.wait, name="agent-wait")
        except RuntimeError:  # no thread is to be had; it was killed, and takes no time
            self._process.wait()
        said = self._last_words()
        self._close_files()
        self.ended = "it was closed" if reason is None else f"{reason}{said}"
        await self._end_processes()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result({"event": "failed", "text": f"the agent has ended: {self.ended}"})
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
        if left and not self.prefix:
            await in_thread(lambda: _end_from_here(left), name="agent-sweep")
        for process in left:
            process.ended(ExitInfo(None, reason=f"the agent that watched it has ended: {self.ended}"))

    def _last_words(self) -> str:
        """The end of what it, and modules that it imported, wrote to stderr."""
        if self._errors is None:
            return ""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 4096))
        text = self._errors.read().decode(errors="replace").strip()
        return f"; it wrote:\n{text}" if text else ""

    def _close_files(self) -> None:
        if self._errors is not None:
            self._errors.close()
            self._errors = None


def _output_mode(stdout: int | None, on_output: Callable[[bytes], None] | None) -> Output:
    if stdout is not None:
        return "descriptor"
    return "tail" if on_output is None else "stream"


def _exit_info(event: dict[str, Any]) -> ExitInfo:
    reason = None
    if event["code"] is None:
        reason = "its end was not seen by its parent"
    return ExitInfo(event["code"], reason=reason, output_tail=event.get("output", ""))


def _start_of(pid: int) -> list[str]:
    """When a process began, as /proc has it, to tell it from others with its number; empty if unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()[19:20]


def _end_from_here(left: list[AgentProcess]) -> None:
    """What the agent would have done for its processes."""
    if sys.platform == "win32":
        return
    from . import far_end

    wards = [far_end.Ward(p.id, pid=p.pid or None, start=p.start, mark=p.mark) for p in left]
    if survivors := far_end.sweep(wards, spare=[os.getpid()], limit=far_end.CLOSE_LIMIT):
        log.error("These processes have not ended after SIGKILL: %s", sorted(survivors))
    for process in left:
        far_end.remove(process.files, process.directories)
