"""The requests that a kernel answers, as methods: shared by `KernelClient` and `Kernel`."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from jupyter_protocol import Message, messages

from .execution import Execution
from .subshells import Subshells

DEFAULT_OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes of output messages that one execution keeps."""

_debug_sequence = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteOptions:
    """What `KernelRequests.execute` is told that the kernel is not."""

    timeout: float | None = None
    queue_timeout: float | None = None
    interrupt_on_cancel: bool = False
    output_limit: int | None = DEFAULT_OUTPUT_LIMIT


class KernelRequests:
    """Requests to a kernel. Any number may be under way at once.

    Except for `execute`, each is awaited for the reply `Message`, whose content may have the status
    "error": an answer is a result. No answer raises `KernelDied`, `KernelRestarted`, `KernelUnresponsive` or
    `ClientClosed`, and `NoReply` where the kernel was done without a reply for five seconds; a kernel that is
    not there raises at once, and nothing is queued for it. Cancelling stops the wait and disturbs no other
    request; the kernel handles the request all the same.
    """

    async def _ask(self, message: Message, channel: str = "shell") -> Message:
        """Send a request and wait for its reply."""
        raise NotImplementedError

    def _start(self, message: Message, options: ExecuteOptions) -> Execution:
        """Send an execute_request, with ``allow_stdin`` as the client can, and follow it."""
        raise NotImplementedError

    @property
    def _subshells(self) -> Subshells:
        """The subshells of the client."""
        raise NotImplementedError

    def execute(
        self,
        code: str,
        *,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        stop_on_error: bool = False,
        subshell_id: str | None = None,
        timeout: float | None = None,
        queue_timeout: float | None = None,
        interrupt_on_cancel: bool = False,
        output_limit: int | None = DEFAULT_OUTPUT_LIMIT,
    ) -> Execution:
        """Send code to be run, now; await or iterate over what this returns.

        With ``stop_on_error`` an error in it aborts the requests queued behind it, whoever sent them.
        ``subshell_id`` runs it in a subshell (JEP 91).

        After ``timeout`` seconds of running, counted from the kernel's word that it has begun, the code is
        interrupted, and the status is "timeout" once the kernel has ended it or five seconds have passed.
        It is not interrupted while others run beside it in subshells, which an interrupt would hit too.
        After ``queue_timeout`` seconds without a beginning the status is "timeout" at once. With
        ``interrupt_on_cancel`` the code is interrupted when a task is cancelled that waits for it or reads
        its output. What was given up in one of these ways while it stood in the queue is interrupted when it
        begins, unless it ends by itself within a tenth of a second.

        ``output_limit`` bounds the output that is kept, in bytes including about 2 kB for each message
        (None: everything, and it does not count in the client's budget); head and tail are kept and the
        rest is counted. Must be called with the loop running.

        Source: Messaging in Jupyter, "Execute".
        """
        request = messages.execute_request(
            code,
            silent=silent,
            store_history=store_history,
            user_expressions=None if user_expressions is None else dict(user_expressions),
            stop_on_error=stop_on_error,
            subshell_id=subshell_id,
        )
        options = ExecuteOptions(
            timeout=timeout,
            queue_timeout=queue_timeout,
            interrupt_on_cancel=interrupt_on_cancel,
            output_limit=output_limit,
        )
        return self._start(request, options)

    async def complete(self, code: str, cursor_pos: int | None = None) -> Message:
        """Completions at ``cursor_pos``, in code points (None: the end). Source: "Completion".

        While ipykernel runs code it is asked in a subshell of our own, where it has subshells; so are
        `inspect` and `is_complete`.
        """
        return await self._subshells.ask(messages.complete_request(code, cursor_pos=cursor_pos))

    async def inspect(
        self, code: str, cursor_pos: int | None = None, *, detail_level: Literal[0, 1] = 0
    ) -> Message:
        """What is known of the name at ``cursor_pos``, as a MIME bundle. Source: "Introspection"."""
        request = messages.inspect_request(code, cursor_pos=cursor_pos, detail_level=detail_level)
        return await self._subshells.ask(request)

    async def history(
        self,
        *,
        hist_access_type: Literal["range", "tail", "search"] = "tail",
        output: bool = False,
        raw: bool = True,
        **selection: Any,
    ) -> Message:
        """Earlier inputs; select with ``session, start, stop``, ``n``, ``pattern`` and ``unique``.

        Source: "History".
        """
        request = messages.history_request(
            hist_access_type=hist_access_type, output=output, raw=raw, **selection
        )
        return await self._ask(request)

    async def is_complete(self, code: str) -> Message:
        """Whether a console should run the code or wait for more. Source: "Code completeness"."""
        return await self._subshells.ask(messages.is_complete_request(code))

    async def kernel_info(self) -> Message:
        """Who the kernel is, and which features it has. Source: "Kernel info"."""
        return await self._ask(messages.kernel_info_request())

    async def comm_info(self, target_name: str | None = None) -> Message:
        """The comms that are open, of one target or of all. Source: "Comm info"."""
        return await self._ask(messages.comm_info_request(target_name=target_name))

    async def create_subshell(self) -> str:
        """Make a subshell and return its id, for ``execute(…, subshell_id=…)``. Source: JEP 91.

        It is deleted when this client closes, if not before. Raises `Unsupported` where the kernel has no
        subshells, `SubshellError` where it refuses or does not answer. When cancelled, the subshell is
        deleted as soon as the kernel tells its id.
        """
        return await self._subshells.create()

    async def delete_subshell(self, subshell_id: str) -> None:
        """Delete a subshell, anybody's, once the code in it has ended. Raises as `create_subshell` does.

        When cancelled, it is deleted or not. Source: JEP 91.
        """
        await self._subshells.delete(subshell_id)

    async def list_subshells(self) -> list[str]:
        """The ids of all subshells, anybody's. Raises as `create_subshell` does. Source: JEP 91."""
        return await self._subshells.list()

    def subshell(self) -> AbstractAsyncContextManager[str]:
        """A subshell for the length of an ``async with`` block, which gets its id; see `create_subshell`."""
        return self._subshells.subshell()

    async def debug(self, request: Mapping[str, Any]) -> Message:
        """Send a request of the Debug Adapter Protocol: a dict with ``command`` and ``arguments``.

        ``type`` and ``seq`` are filled in where they are missing. Events come to handlers on iopub as
        ``debug_event``. Source: "Debug request", JEP 47.
        """
        content = {"type": "request", "seq": next(_debug_sequence), **request}
        return await self._ask(messages.debug_request(content), "control")
