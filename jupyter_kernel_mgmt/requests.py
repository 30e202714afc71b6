"""The requests that a kernel answers, as methods: shared by `KernelClient` and `Kernel`."""

from collections.abc import Mapping
from typing import Any, Literal

from jupyter_protocol import Message, messages

from .execution import Execution

DEFAULT_OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes of output messages that one execution keeps."""


class KernelRequests:
    """Requests to a kernel. Any number may be under way at once.

    Except for `execute`, each is awaited for the reply `Message`, whose content may have the status
    "error": an answer is a result. No answer raises `KernelDied`, `KernelRestarted` or `ClientClosed`;
    a kernel that is not there raises at once, and nothing is queued for it. Cancelling stops the wait and
    disturbs no other request; the kernel handles the request all the same.
    """

    async def _ask(self, message: Message, channel: str = "shell") -> Message:
        """Send a request and wait for its reply."""
        raise NotImplementedError

    def _start(self, message: Message, output_limit: int | None) -> Execution:
        """Send an execute_request, with ``allow_stdin`` as the client can, and follow it."""
        raise NotImplementedError

    def execute(
        self,
        code: str,
        *,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        stop_on_error: bool = False,
        output_limit: int | None = DEFAULT_OUTPUT_LIMIT,
    ) -> Execution:
        """Send code to be run, now; await or iterate over what this returns.

        With ``stop_on_error`` an error in it aborts the requests queued behind it, whoever sent them.
        ``output_limit`` bounds the output that is kept, in bytes (None: everything); head and tail are
        kept and the rest is counted. Must be called with the loop running.

        Source: Messaging in Jupyter, "Execute".
        """
        request = messages.execute_request(
            code,
            silent=silent,
            store_history=store_history,
            user_expressions=None if user_expressions is None else dict(user_expressions),
            stop_on_error=stop_on_error,
        )
        return self._start(request, output_limit)

    async def complete(self, code: str, cursor_pos: int | None = None) -> Message:
        """Completions at ``cursor_pos``, in code points (None: the end). Source: "Completion"."""
        return await self._ask(messages.complete_request(code, cursor_pos=cursor_pos))

    async def inspect(
        self, code: str, cursor_pos: int | None = None, *, detail_level: Literal[0, 1] = 0
    ) -> Message:
        """What is known of the name at ``cursor_pos``, as a MIME bundle. Source: "Introspection"."""
        request = messages.inspect_request(code, cursor_pos=cursor_pos, detail_level=detail_level)
        return await self._ask(request)

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
        return await self._ask(messages.is_complete_request(code))

    async def kernel_info(self) -> Message:
        """Who the kernel is, and which features it has. Source: "Kernel info"."""
        return await self._ask(messages.kernel_info_request())

    async def comm_info(self, target_name: str | None = None) -> Message:
        """The comms that are open, of one target or of all. Source: "Comm info"."""
        return await self._ask(messages.comm_info_request(target_name=target_name))
