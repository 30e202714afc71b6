"""Subshells: shells of one kernel that run code beside its main shell; ours, and who deletes them.

A client deletes what it made when it closes, so that nothing of ours stays in somebody else's kernel. For
requests that an editor makes while code runs it has a subshell of its own, the sidecar, made when it is
first needed.

A kernel may freeze when a subshell is deleted in which code runs: ipykernel waits for that code and answers
nothing on control meanwhile. So a deletion is held back until that code has ended.

Source: JEP 91 (kernel subshells).
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from jupyter_protocol import Message, ProtocolError, messages

from ._subshell_ledger import SubshellLedger
from .exceptions import ClientClosed, KernelError, SubshellError, Unsupported

if TYPE_CHECKING:
    from .client import KernelClient

log = logging.getLogger(__name__)

FEATURE = "kernel subshells"
"""What a kernel that has subshells names in ``supported_features``."""

ANSWER_TIMEOUT = 10.0
"""Seconds that a kernel has to answer a request about subshells, or to say which features it has."""

SIDECAR_TIMEOUT = 2.0
"""Seconds that a completion may wait for the sidecar before it goes to the main shell after all."""

CLOSE_TIMEOUT = 2.0
"""Seconds that the deletion of our subshells may hold up the closing of a client."""

SIDE_REQUESTS = frozenset({"complete_request", "inspect_request", "is_complete_request"})
"""What is answered beside running code. Not history: what runs is writing it."""


SIDECAR_KERNELS = frozenset({"ipython"})
"""Implementations, as kernel_info names them, that complete safely beside running code.

Others inherit the feature from ipykernel without knowing it: in bash_kernel a completion breaks the cell.
"""


def goes_beside(message: Message, *, busy: bool) -> bool:
    """Whether a request is better sent to the sidecar: the main shell would keep it waiting."""
    return busy and message.msg_type in SIDE_REQUESTS and "subshell_id" not in message.header


class Subshells:
    """The subshells of the kernel that one client talks to.

    Sees every message through `received`, which is to be added to the client's handlers. ``busy()`` says
    whether the main shell runs code or is about to, by default whether the client saw it run some. After
    `fail` it begins anew, as with another kernel. ``implementation`` is what the kernel last said it is.
    """

    def __init__(self, client: "KernelClient", *, busy: Callable[[], bool] | None = None) -> None:
        self._client = client
        self._busy = busy or (lambda: client.executing)
        self._closing = False
        self._ledger = SubshellLedger()
        self._left: Sequence[str] = ()
        self._features: frozenset[str] | None = None
        self.implementation: object = None
        self._asked_for_features = False
        self._sidecar_request: str | None = None
        self._main_answered = False

    # What applications ask for

    async def create(self) -> str:
        """Make a subshell and return its id; it is deleted when the client closes, if not before.

        Raises `Unsupported` where the kernel has no subshells, `SubshellError` where it refuses or does not
        answer within `ANSWER_TIMEOUT`, and what requests raise. When cancelled, or too late, the subshell is
        deleted as soon as the kernel tells its id.
        """
        await self._require()
        ledger, request = self._ledger, messages.create_subshell_request()
        ledger.asked(request.msg_id)
        try:
            reply = await self._answer(request)
            subshell_id = _subshell_id(reply)
            if subshell_id is None:
                raise SubshellError(request.msg_type, "the reply has no subshell_id")
            if self._closing:
                raise ClientClosed
        except BaseException:
            ledger.give_up(request.msg_id)
            self._sweep()
            raise
        ledger.taken(request.msg_id)
        return subshell_id

    async def delete(self, subshell_id: str) -> None:
        """Delete a subshell, anybody's, once the code that is known to run in it has ended.

        Raises as `create` does; `SubshellError` also where that code goes on for `ANSWER_TIMEOUT`. When
        cancelled, it is deleted or not.
        """
        await self._require()
        ledger = self._ledger
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await self._client.until(lambda: not ledger.runs_code(subshell_id))
        except TimeoutError as error:
            raise SubshellError("delete_subshell_request", "code still runs in it") from error
        request = messages.delete_subshell_request(subshell_id)
        ledger.deleting(request.msg_id, subshell_id)
        await self._answer(request)

    async def list(self) -> list[str]:
        """The ids of all subshells, anybody's. Raises as `create` does. Cancelling it is safe."""
        await self._require()
        reply = await self._answer(messages.list_subshell_request())
        found = reply.content.get("subshell_id")
        return [str(subshell_id) for subshell_id in found] if isinstance(found, list) else []

    @asynccontextmanager
    async def subshell(self) -> AsyncGenerator[str, None]:
        """A subshell for the length of an ``async with`` block, which gets its id.

        Leaving waits at most `ANSWER_TIMEOUT` for its deletion, which happens later where code still runs in
        it. Raises as `create` does when entered, and nothing of its own when left.
        """
        subshell_id = await self.create()
        ledger = self._ledger
        try:
            yield subshell_id
        finally:
            ledger.unwanted.add(subshell_id)
            self._sweep()
            await self._wait_until(lambda: subshell_id not in ledger.ours, ANSWER_TIMEOUT)

    # What the client calls

    async def ask(self, message: Message) -> Message:
        """Send a request to the shell that can answer it sooner, and wait for the reply.

        Raises as requests do. Cancelling only ends the wait.
        """
        subshell_id = await self.route(message)
        if subshell_id is None:
            return await self._client._ask(message)
        message.header["subshell_id"] = subshell_id
        reply = await self._client._ask(message)
        if reply.content.get("status") == "error" and await self._was_deleted(subshell_id):
            return await self.ask(messages.new_message(message.msg_type, message.content))
        return reply

    async def route(self, message: Message) -> str | None:
        """The subshell that shall get a request; None is the main shell.

        Takes at most `SIDECAR_TIMEOUT`. Raises as requests do. When cancelled, the sidecar is made all the
        same, for the next request.
        """
        # Until the main shell has answered us, it may be busy since before we came.
        if self._closing or not goes_beside(message, busy=self._busy() or not self._main_answered):
            return None
        try:
            async with asyncio.timeout(SIDECAR_TIMEOUT):
                await self._learn()
                able = self._has_subshells() and self.implementation in SIDECAR_KERNELS
                return await self._sidecar() if able else None
        except TimeoutError:
            return None

    def sent(self, message: Message) -> None:
        """Take note of code that is sent to a subshell: deleting that would lose it."""
        subshell_id = message.header.get("subshell_id")
        if isinstance(subshell_id, str) and message.msg_type == "execute_request":
            self._ledger.runs(message.msg_id, subshell_id)

    def received(self, channel: str, message: Message) -> None:
        """Take note of a message: a handler."""
        if channel == "shell" and message.msg_type == "execute_reply":
            self._ledger.ended(message)
            self._sweep()
        if channel == "shell" and "subshell_id" not in message.parent_header:
            self._main_answered = True
        if channel == "iopub":
            if message.msg_type == "status" and "subshell_id" in message.parent_header:
                self._ledger.status(message)
                self._sweep()
        elif message.msg_type == "kernel_info_reply":
            self.implementation = message.content.get("implementation")
            found = message.content.get("supported_features")
            self._features = frozenset(map(str, found)) if isinstance(found, list) else frozenset()
        elif message.msg_type == "create_subshell_reply" and message.parent_id is not None:
            self._ledger.replied(message.parent_id, _subshell_id(message))
            self._sweep()
        elif message.msg_type == "delete_subshell_reply" and message.parent_id is not None:
            self._gone(self._ledger.deletion_answered(message.parent_id))

    def fail(self) -> None:
        """That kernel is gone or about to go, and its subshells with it: all is to be learned of the next."""
        self._left = self._ledger.to_delete(everything=True)
        self._ledger = SubshellLedger()
        self._features = None
        self._asked_for_features = False
        self._sidecar_request = None
        self._main_answered = False

    def deletions(self) -> tuple[Message, ...]:
        """The requests that precede one to end: some kernels stay when a subshell is left open.

        Those in which code runs are left out, since the kernel would wait for it.
        """
        left = self._ledger.to_delete(everything=True) or self._left
        return tuple(messages.delete_subshell_request(subshell_id) for subshell_id in left)

    async def aclose(self) -> None:
        """Make no more subshells and delete ours, within `CLOSE_TIMEOUT`; what still runs code is left.

        May be called again. Raises nothing of its own. When cancelled, the deletions have been sent.
        """
        self._closing = True
        ledger = self._ledger
        ledger.give_up_all()
        self._sweep()
        await self._wait_until(ledger.settled, CLOSE_TIMEOUT)
        if ledger.ours:
            log.warning("Subshells were left in the kernel: %s", ", ".join(sorted(ledger.ours)))

    # How

    async def _require(self) -> None:
        if self._closing:
            raise ClientClosed
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await self._learn()
        except TimeoutError as error:
            text = f"the kernel did not say within {ANSWER_TIMEOUT:g} s which features it has"
            raise Unsupported(FEATURE, text) from error
        if not self._has_subshells():
            raise Unsupported(FEATURE, "this kernel does not have them")

    async def _learn(self) -> None:
        """Wait until the features are known; ask where no kernel_info_reply was seen yet."""
        if self._features is None and not self._asked_for_features:
            for channel in ("control", "shell"):  # some kernels answer on only one of them
                self._client.send(channel, messages.kernel_info_request())
            self._asked_for_features = True
        await self._client.until(lambda: self._features is not None)

    def _has_subshells(self) -> bool:
        return self._features is not None and FEATURE in self._features

    async def _answer(self, request: Message) -> Message:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                reply = await self._client._ask(request, "control")
        except TimeoutError as error:
            text = f"the kernel did not answer within {ANSWER_TIMEOUT:g} s"
            raise SubshellError(request.msg_type, text) from error
        if reply.content.get("status", "ok") != "ok":
            reason = reply.content.get("evalue") or reply.content.get("ename") or "it did not say why"
            raise SubshellError(request.msg_type, str(reason))
        return reply

    async def _sidecar(self) -> str | None:
        """The id of the sidecar, which is made by the first who needs it; None where the kernel refuses."""
        ledger = self._ledger
        if self._sidecar_request is None:
            request = messages.create_subshell_request()
            self._client.send("control", request)
            ledger.asked(request.msg_id)
            self._sidecar_request = request.msg_id
        msg_id = self._sidecar_request
        await self._client.until(lambda: ledger.answered(msg_id))
        subshell_id = ledger.made.get(msg_id)
        if subshell_id is None and self._sidecar_request == msg_id:
            self._sidecar_request = None
        return subshell_id

    async def _was_deleted(self, subshell_id: str) -> bool:
        """Whether somebody else deleted a subshell of ours; then that is noted."""
        try:
            gone = subshell_id not in await self.list()
        except SubshellError:
            return False
        if gone:
            self._gone(subshell_id)
        return gone

    def _gone(self, subshell_id: str | None) -> None:
        if subshell_id is not None:
            if self._ledger.made.get(self._sidecar_request or "") == subshell_id:
                self._sidecar_request = None
            self._ledger.gone(subshell_id)

    def _sweep(self) -> None:
        """Delete what nobody wants and nothing runs in. What it cannot send now is gone with the kernel."""
        for subshell_id in self._ledger.to_delete(everything=self._closing):
            request = messages.delete_subshell_request(subshell_id)
            try:
                self._client.send("control", request)
            except (KernelError, ProtocolError) as error:
                log.debug("A subshell cannot be deleted any more: %s", error)
                return
            self._ledger.deleting(request.msg_id, subshell_id)

    async def _wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait for a clean-up that goes on by itself, but not for long."""
        if condition():
            return
        try:
            async with asyncio.timeout(seconds):
                await self._client.until(condition)
        except TimeoutError:
            log.debug("Subshells were not deleted within %g s", seconds)
        except (KernelError, ProtocolError) as error:
            log.debug("Subshells need no deletion any more: %s", error)


def _subshell_id(reply: Message) -> str | None:
    subshell_id = reply.content.get("subshell_id")
    return subshell_id if isinstance(subshell_id, str) else None
