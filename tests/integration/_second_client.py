"""jupyter_client's client of a kernel: what it got for its requests, and one that works beside a test."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from queue import Empty
from typing import Any, Self

from jupyter_client import AsyncKernelClient

from ._kinds import PYTHON3, Kind

GUARD = 30.0
LOOK = 0.1
"""Seconds after which the second client looks up from an answer that does not come: is it to stop?"""

Theirs = AsyncKernelClient


@asynccontextmanager
async def jupyter_clients(connection_file: Path) -> AsyncIterator[Theirs]:
    """jupyter_client's client, connected as its documentation says."""
    client = AsyncKernelClient(connection_file=str(connection_file))
    client.load_connection_file()
    client.start_channels(hb=False)
    try:
        await client.wait_for_ready(timeout=GUARD)
        yield client
    finally:
        client.stop_channels()


class Answer:
    """What jupyter_client got for one request: everything with its parent, until idle and reply."""

    def __init__(self) -> None:
        self.reply: dict[str, Any] = {}
        self.text = ""
        self.values: list[str] = []
        self.idle = False

    def take(self, message: dict[str, Any]) -> None:
        """Note a message on iopub."""
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            self.text += content["text"]
        elif kind == "execute_result":
            self.values.append(content["data"]["text/plain"])
        elif kind == "status":
            self.idle = content["execution_state"] == "idle"


async def answers(theirs: Theirs, msg_ids: list[str]) -> list[Answer]:
    """jupyter_client's answers to these requests. Fails for a reply to anybody else."""
    found = {msg_id: Answer() for msg_id in msg_ids}
    while not all(answer.idle for answer in found.values()):
        message = await theirs.get_iopub_msg(timeout=GUARD)
        if answer := found.get(message["parent_header"].get("msg_id")):
            answer.take(message)
    while not all(answer.reply for answer in found.values()):
        message = await theirs.get_shell_msg(timeout=GUARD)
        found[message["parent_header"]["msg_id"]].reply = message["content"]
    return list(found.values())


async def answer(theirs: Theirs, code: str, **options: Any) -> Answer:
    """jupyter_client's answer to one execution."""
    return (await answers(theirs, [theirs.execute(code, **options)]))[0]


async def until_started(theirs: Theirs, msg_id: str) -> None:
    """Wait for the first output of an execution of jupyter_client's."""
    while True:
        message = await theirs.get_iopub_msg(timeout=GUARD)
        if message["parent_header"].get("msg_id") == msg_id and message["msg_type"] == "stream":
            return


class Nobody:
    """No second client, with the interface of one."""

    def __init__(self) -> None:
        self.interrupted = 0
        self.problems: list[str] = []

    async def until_checked(self, more: int = 1) -> None:
        """Return at once."""

    async def begin_anew(self) -> None:
        """Do nothing."""

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Do nothing."""
        yield


class Beside:
    """jupyter_client in a thread with a loop of its own, executing and checking from `start` to `stop`.

    ``checked`` counts the executions that were answered as they should, ``interrupted`` those that somebody
    interrupted or aborted; ``problems`` says what was wrong.
    """

    def __init__(self, connection_file: Path, kind: Kind = PYTHON3) -> None:
        self.checked = 0
        self.interrupted = 0
        self.problems: list[str] = []
        self._kind = kind
        self._file = connection_file
        self._number = 0
        self._stopping = threading.Event()
        self._anew = threading.Event()
        self._rest = False
        self._resting = False
        self._changed = threading.Condition()
        self._watchers: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._work, name="second-client")

    @classmethod
    @contextmanager
    def at_work(cls, connection_file: Path, kind: Kind = PYTHON3) -> Iterator[Self]:
        """It works as long as the context lasts, and nothing was wrong."""
        beside = cls(connection_file, kind)
        beside.start()
        try:
            yield beside
        finally:
            beside.stop()
        assert beside.problems == []
        assert beside.checked > 0

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way then is not waited for."""
        self._stopping.set()
        self._set_rest(False)
        self._thread.join(2 * GUARD)

    async def until_checked(self, more: int = 1) -> None:
        """Wait until so many more executions were answered, with the caller's loop running."""
        wanted = self.checked + more
        await self._until(lambda: self.checked >= wanted or bool(self.problems))

    async def begin_anew(self) -> None:
        """The kernel is another one now: what is under way is given up, and it connects again."""
        with self._changed:
            self._anew.set()
            self._changed.notify_all()
        await self._until(lambda: not self._anew.is_set() or bool(self.problems))

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """It executes nothing as long as the context lasts, nor is anything of it under way."""
        self._set_rest(True)
        try:
            await self._until(lambda: self._resting or bool(self.problems))
            yield
        finally:
            self._set_rest(False)

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait in the caller's loop, without a thread of the loop's, which would stay."""
        loop, came = asyncio.get_running_loop(), asyncio.Event()

        def look() -> None:
            if condition():
                loop.call_soon_threadsafe(came.set)

        with self._changed:
            self._watchers.append(look)
            look()
        try:
            async with asyncio.timeout(GUARD):
                await came.wait()
        except TimeoutError:
            raise AssertionError("the second client gets no answers") from None
        finally:
            with self._changed:
                self._watchers.remove(look)

    def _notify(self) -> None:
        for look in self._watchers:
            look()
        self._changed.notify_all()

    # In its thread

    def _work(self) -> None:
        try:
            asyncio.run(self._connect_and_work())
        except Exception as error:  # noqa: BLE001 - told by the context
            self._tell(problem=f"the second client failed: {error!r}")

    async def _connect_and_work(self) -> None:
        while not self._stopping.is_set():
            async with jupyter_clients(self._file) as theirs:
                with self._changed:
                    self._anew.clear()
                    self._notify()
                while not self._stopping.is_set() and not self._anew.is_set():
                    self._rest_if_told()
                    if not self._anew.is_set():
                        await self._execute_and_check(theirs)

    def _rest_if_told(self) -> None:
        with self._changed:
            self._resting = self._rest
            self._notify()
            self._changed.wait_for(lambda: not self._rest or self._anew.is_set())
            self._resting = False

    def _set_rest(self, value: bool) -> None:
        with self._changed:
            self._rest = value
            self._notify()

    async def _execute_and_check(self, theirs: Theirs) -> None:
        self._number += 1
        code, text, value = (part.replace("{0}", str(self._number)) for part in self._kind.second)
        # No history, so that the numbers of others' executions stay as if they were alone.
        msg_id = theirs.execute(code, store_history=False, allow_stdin=False, stop_on_error=False)
        got = await self._answer(theirs, msg_id)
        if got is not None:
            self._check(got, text, [value] if value else [])

    async def _answer(self, theirs: Theirs, msg_id: str) -> Answer | None:
        """The answer; None when told to stop or to begin anew before it came."""
        got = Answer()
        while not (got.idle and got.reply):
            try:
                if not got.idle:
                    message = await theirs.get_iopub_msg(timeout=LOOK)
                    if (message["parent_header"] or {}).get("msg_id") == msg_id:
                        got.take(message)
                else:
                    message = await theirs.get_shell_msg(timeout=LOOK)
                    if message["parent_header"].get("msg_id") != msg_id:
                        self._tell(problem=f"a reply for somebody else: {message['parent_header']}")
                    got.reply = message["content"]
            except Empty:
                if self._stopping.is_set() or self._anew.is_set():
                    return None
                # IRkernel says neither busy nor idle for what it aborts.
                got.idle = got.idle or (not self._kind.own_session and await theirs.shell_channel.msg_ready())
        if await theirs.stdin_channel.msg_ready():
            self._tell(problem="it was asked on stdin, and had asked for nothing")
        return got

    def _check(self, got: Answer, text: str, values: list[str]) -> None:
        status = got.reply.get("status", "ok")
        if status == "ok":
            if (got.text, got.values) != (text, values):
                self._tell(problem=f"expected {(text, values)}, got {(got.text, got.values)}")
        elif got.reply.get("ename") == "KeyboardInterrupt" or status in ("abort", "aborted"):
            self.interrupted += 1
        else:
            self._tell(problem=f"an unexpected reply: {got.reply}")
        self._tell()

    def _tell(self, *, problem: str | None = None) -> None:
        with self._changed:
            if problem is None:
                self.checked += 1
            else:
                self.problems.append(problem)
            self._notify()
