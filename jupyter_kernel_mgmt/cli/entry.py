"""`Entry`: where code is typed. Lines are added until the kernel calls the code complete."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.styles import Style

from ..exceptions import KernelError
from ..requests import KernelRequests

ANSWER_TIMEOUT = 1.0
"""Seconds that a kernel has to say whether code is complete; it may be busy, and keys wait meanwhile."""

COMPLETION_TIMEOUT = 10.0
"""Seconds that a kernel has to find what completes code: for the first time ipykernel imports a lot."""

HISTORY_TIMEOUT = 2.0
HISTORY_LENGTH = 1_000


STYLE = Style.from_dict(
    {
        "completion-menu": "noinherit",
        "completion-menu.completion": "noinherit",
        "completion-menu.completion.current": "noinherit reverse",
        "scrollbar.background": "noinherit",
        "scrollbar.button": "noinherit reverse",
        "aborting": "noinherit",
    }
)
"""prompt_toolkit's own has fixed colours, which do not suit every terminal's theme."""


class Entry:
    """A prompt, with completion and history of the kernel. ``session`` is prompt_toolkit's."""

    def __init__(self, kernel: KernelRequests, history: Sequence[str] = ()) -> None:
        self._kernel = kernel
        self._asking = False
        self._typed_ahead: list[KeyPress] = []
        self.session: PromptSession[str] = PromptSession(
            history=InMemoryHistory(history),
            completer=KernelCompleter(kernel),
            complete_while_typing=False,
            multiline=True,
            style=STYLE,
            key_bindings=self._bindings(),
            prompt_continuation=lambda width, number, wraps: "...: ".rjust(width),
        )

    async def read(self, number: int) -> str:
        """The code that the user enters. Raises `EOFError` for Ctrl-D, `KeyboardInterrupt` for Ctrl-C."""
        text = FormattedText([("bold", f"In [{number}]: ")])
        return await self.session.prompt_async(text, handle_sigint=False)

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        bindings.add(Keys.Any, eager=True, filter=Condition(lambda: self._asking))(self._keep)
        bindings.add("enter")(self._enter)
        bindings.add("escape", "enter")(_new_line)
        return bindings

    def _keep(self, event: KeyPressEvent) -> None:
        """Keys that come while the kernel is asked belong behind its answer."""
        self._typed_ahead += event.key_sequence

    def _enter(self, event: KeyPressEvent) -> None:
        self._asking = True  # now: the next key may be in the same read
        _ = event.app.create_background_task(self._run_or_go_on(event))  # the app's own

    async def _run_or_go_on(self, event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        try:
            more = await wants_more(self._kernel, buffer.text)
        finally:
            self._asking = False
        if more is None:
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n" + more)
        keys, self._typed_ahead = self._typed_ahead, []
        event.app.key_processor.feed_multiple(keys)
        event.app.key_processor.process_keys()


class KernelCompleter(Completer):
    """What the kernel says could stand at the cursor."""

    def __init__(self, kernel: KernelRequests) -> None:
        self._kernel = kernel

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> list[Completion]:
        """Nothing: a kernel is asked asynchronously."""
        return []

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """The kernel's matches; none where it does not answer in time."""
        try:
            async with asyncio.timeout(COMPLETION_TIMEOUT):
                reply = await self._kernel.complete(document.text, document.cursor_position)
        except (TimeoutError, KernelError):
            return
        for match, start in matches(reply.content, document.cursor_position):
            yield Completion(match, start_position=start)


def matches(content: dict[str, object], cursor: int) -> list[tuple[str, int]]:
    """The matches in a complete_reply, each with where it begins, counted from the cursor."""
    found, start = content.get("matches"), content.get("cursor_start")
    if content.get("status") != "ok" or not isinstance(found, list) or not isinstance(start, int):
        return []
    return [(match, min(start, cursor) - cursor) for match in found if isinstance(match, str)]


async def wants_more(kernel: KernelRequests, code: str) -> str | None:
    """None where code is to be run; else the indentation of the line that is to follow.

    A kernel that does not answer in time, or does not know, gets the code at an empty line's end.
    """
    if not code.strip():
        return None
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            content = (await kernel.is_complete(code)).content
    except (TimeoutError, KernelError):
        content = {}
    return indentation(content, code)


def indentation(content: dict[str, object], code: str) -> str | None:
    """What an is_complete_reply means for the line to follow; None: there is none."""
    status = content.get("status")
    if status in ("complete", "invalid"):
        return None
    if status == "incomplete":
        indent = content.get("indent")
        return indent if isinstance(indent, str) else ""
    *before, last = code.split("\n")
    return "" if before and last.strip() else None


async def past_inputs(kernel: KernelRequests) -> list[str]:
    """What was entered in the kernel's earlier sessions, oldest first; nothing where it does not tell."""
    try:
        async with asyncio.timeout(HISTORY_TIMEOUT):
            content = (await kernel.history(n=HISTORY_LENGTH, unique=True)).content
    except (TimeoutError, KernelError):
        return []
    return inputs(content)


def inputs(content: dict[str, object]) -> list[str]:
    """The inputs in a history_reply: entries are ``(session, line, input)``."""
    entries = content.get("history")
    if not isinstance(entries, list):
        return []
    return [entry[2] for entry in entries if len(entry) > 2 and isinstance(entry[2], str) and entry[2]]


def _new_line(event: KeyPressEvent) -> None:
    event.current_buffer.insert_text("\n")
