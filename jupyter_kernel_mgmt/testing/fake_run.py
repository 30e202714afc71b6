"""`FakeRun`: one execution of a `FakeKernel`, as the callable sees it that runs instead of code."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from jupyter_protocol import Message, messages

from .fake_comms import FakeComm

if TYPE_CHECKING:
    from .fake_kernel import FakeKernel


class FakeRun:
    """One execution, as the behaviour sees it: ``code``, and what code may do."""

    def __init__(self, kernel: "FakeKernel", request: Message) -> None:
        self.kernel = kernel
        self.request = request
        self.code: str = request.content["code"]
        self.answers: asyncio.Queue[str] = asyncio.Queue()

    def publish(self, message: Message) -> None:
        """Send a message on iopub; make it with ``parent=run.request``."""
        self.kernel.send("iopub", message)

    def write(self, text: str, name: Literal["stdout", "stderr"] = "stdout") -> None:
        """Print text."""
        self.publish(messages.stream(name, text, parent=self.request))

    def display(self, data: dict[str, Any], *, display_id: str | None = None, **options: Any) -> None:
        """Show a MIME bundle, which may be updated later if it has a ``display_id``.

        Options as of `jupyter_protocol.messages.display_data`.
        """
        if display_id is not None:
            options["transient"] = {**options.get("transient", {}), "display_id": display_id}
        self.publish(messages.display_data(data, parent=self.request, **options))

    def update_display(self, data: dict[str, Any], display_id: str, **options: Any) -> None:
        """Show another MIME bundle wherever that ``display_id`` was shown."""
        self.publish(messages.update_display_data(data, display_id, parent=self.request, **options))

    def clear_output(self, *, wait: bool = False) -> None:
        """Remove what was shown, at once or when something takes its place."""
        self.publish(messages.clear_output(wait=wait, parent=self.request))

    def result(self, text: str) -> None:
        """Give the value of the code."""
        count = self.kernel.execution_count
        self.publish(messages.execute_result(count, {"text/plain": text}, parent=self.request))

    def open_comm(self, target_name: str, data: dict[str, Any] | None = None, **options: Any) -> FakeComm:
        """Open a comm to the client; options as of `jupyter_protocol.messages.comm_open`."""
        return self.kernel.comms.open(target_name, data, parent=self.request, **options)

    async def input(self, prompt: str = "", *, password: bool = False) -> str:
        """Ask the client for a line. Raises `RuntimeError` where it said that nobody answers.

        Cancelling ends the wait; an answer that still comes stays in ``answers``.
        """
        if not self.request.content.get("allow_stdin"):
            raise RuntimeError("this client does not answer questions")
        question = messages.input_request(prompt, password=password, parent=self.request)
        self.kernel.ask(self, question)
        return await self.answers.get()


Behaviour = Callable[[FakeRun], Awaitable[None]]
"""Runs instead of code: returns where the code ends well and raises what the code raises."""
