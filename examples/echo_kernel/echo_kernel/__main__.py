"""The kernel: what arrives goes where it belongs, and every request is answered between busy and idle.

Nothing in here knows the language but by the name of its class.
"""

import argparse
import asyncio
import signal
import sys
import uuid

from jupyter_protocol import KernelSockets, Message, messages

from .language import Echo


class Shell:
    """Answers its requests one after another: the main shell, or a subshell."""

    def __init__(self, kernel: "Kernel") -> None:
        self.kernel = kernel
        self.queue: asyncio.Queue[Message | None] = asyncio.Queue()
        self.running: asyncio.Task[Message | None] | None = None
        self.aborting = 0  # so many of those that wait are not to run

    async def run(self) -> None:
        while (request := await self.queue.get()) is not None:
            self.kernel.publish(messages.status("busy", parent=request))
            reply = await self.answer(request)
            if reply is not None:
                self.kernel.sockets.send("shell", reply)
            self.kernel.publish(messages.status("idle", parent=request))
            failed = reply is not None and reply.content["status"] == "error"
            if failed and request.content.get("stop_on_error"):
                self.aborting = self.queue.qsize()
            else:
                self.aborting = max(self.aborting - 1, 0)

    async def answer(self, request: Message) -> Message | None:
        if self.aborting and request.msg_type == "execute_request":
            return messages.execute_reply(self.kernel.language.count, status="aborted", parent=request)
        self.running = asyncio.create_task(self.kernel.language.answer(request))
        await asyncio.wait([self.running])  # an interrupt cancels that task, and not this one
        error = KeyboardInterrupt() if self.running.cancelled() else self.running.exception()
        return self.running.result() if error is None else self.kernel.failure(request, error)

    def interrupt(self) -> None:
        if self.running is not None:
            self.running.cancel()

    def close(self) -> None:
        """Answer what waits, and run none of it."""
        self.aborting = sys.maxsize
        self.interrupt()
        self.queue.put_nowait(None)


class Kernel:
    """Requests wait in the shell they name; what comes on control is answered at once."""

    def __init__(self, sockets: KernelSockets, tasks: asyncio.TaskGroup) -> None:
        self.sockets = sockets
        self.tasks = tasks
        self.language = Echo(sockets)
        self.shells: dict[str, Shell] = {}

    async def serve(self) -> None:
        """Until the kernel is asked to shut down."""
        self.open_shell("")
        async for channel, message in self.sockets:
            shell = self.shells.get(str(message.header.get("subshell_id") or ""))
            if channel == "stdin":
                self.language.hear(message)
            elif channel == "shell" and shell is not None:
                shell.queue.put_nowait(message)
            else:
                self.publish(messages.status("busy", parent=message))
                if (reply := self.control(message)) is not None:
                    self.sockets.send(channel, reply)
                self.publish(messages.status("idle", parent=message))
                if message.msg_type == "shutdown_request":
                    break
        for shell in self.shells.values():
            shell.close()

    def control(self, request: Message) -> Message | None:
        """The answer to a request about the kernel as a whole."""
        subshell_id = str(request.content.get("subshell_id"))
        match request.msg_type:
            case "kernel_info_request":
                return self.language.about(request)
            case "interrupt_request":
                for shell in self.shells.values():
                    shell.interrupt()
                return messages.interrupt_reply(parent=request)
            case "shutdown_request":
                return messages.shutdown_reply(restart=bool(request.content.get("restart")), parent=request)
            case "create_subshell_request":
                self.open_shell(subshell_id := uuid.uuid4().hex)
                return messages.create_subshell_reply(subshell_id, parent=request)
            case "delete_subshell_request" if subshell_id in self.shells and subshell_id:
                self.shells.pop(subshell_id).close()
                return messages.delete_subshell_reply(parent=request)
            case "list_subshell_request":
                return messages.list_subshell_reply([name for name in self.shells if name], parent=request)
        return self.failure(request, LookupError("there is no such request, or no such subshell"))

    def open_shell(self, name: str) -> None:
        self.shells[name] = Shell(self)
        self.tasks.create_task(self.shells[name].run())

    def publish(self, message: Message) -> None:
        self.sockets.send("iopub", message)

    def failure(self, request: Message, error: BaseException) -> Message | None:
        """The reply that tells of it, if it was a request. Where code failed, all clients are told."""
        if not request.msg_type.endswith("_request"):
            return None
        name, text = type(error).__name__, str(error)
        about = (name, text, [f"{name}: {text}"])
        if request.msg_type != "execute_request":
            return messages.error_reply(request, *about)
        self.publish(messages.error(*about, parent=request))
        return messages.error_reply(request, *about, execution_count=self.language.count)


async def main(connection_file: str) -> None:
    async with KernelSockets.from_file(connection_file) as sockets, asyncio.TaskGroup() as tasks:
        await Kernel(sockets, tasks).serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A Jupyter kernel that echoes.")
    parser.add_argument("-f", dest="connection_file", required=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # interrupts come as messages
    arguments, _ = parser.parse_known_args()  # `jupyter run FILE` hands its own arguments on to the kernel
    asyncio.run(main(arguments.connection_file))
