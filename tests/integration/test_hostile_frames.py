"""A client that is sent rubbish, on every channel, or odd answers goes on. The kernel is one of our own."""

import asyncio
import hashlib
import hmac
import json
from contextlib import asynccontextmanager

import pytest

from jupyter_kernel_mgmt import InterruptOutcome, connect
from jupyter_protocol import ConnectionInfo, KernelSockets, messages

DELIMITER = b"<IDS|MSG>"
FINE = [b"{}"] * 4


class FakeKernel:
    """Answers kernel_info at once, and execute_request and interrupts when told to; sends raw frames too."""

    def __init__(self, directory):
        ports = {
            f"{channel}_port": n for n, channel in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)
        }
        self.info = ConnectionInfo(transport="ipc", ip=str(directory / "k"), **ports)
        self.sockets = KernelSockets(self.info, on_message=self._received)
        self.requests = asyncio.Queue()
        self.interrupts = asyncio.Queue()
        self.client = b""

    def _received(self, channel, message):
        self.client = message.idents[0]
        if message.msg_type == "kernel_info_request":
            self.sockets.send("iopub", messages.status("busy", parent=message))
            language = {"name": "none", "version": "1", "mimetype": "text/plain", "file_extension": ".txt"}
            reply = messages.kernel_info_reply(
                implementation="fake",
                implementation_version="1",
                language_info=language,
                banner="",
                parent=message,
            )
            self.sockets.send(channel, reply)
            self.sockets.send("iopub", messages.status("idle", parent=message))
        elif message.msg_type == "execute_request":
            self.requests.put_nowait(message)
        elif message.msg_type == "interrupt_request":
            self.interrupts.put_nowait(message)

    def send_raw(self, channel, frames):
        """To the client, as they are; ZMQ wants at least one frame after the address."""
        address = [] if channel == "iopub" else [self.client]
        self.sockets._pumps[channel].send([*address, *frames])

    def answer(self, request, text):
        """As a kernel should."""
        self.sockets.send("iopub", messages.status("busy", parent=request))
        self.sockets.send("iopub", messages.stream("stdout", text, parent=request))
        self.sockets.send("shell", messages.execute_reply(1, parent=request))
        self.sockets.send("iopub", messages.status("idle", parent=request))


@asynccontextmanager
async def fake_kernel(directory):
    kernel = FakeKernel(directory)
    async with kernel.sockets:
        yield kernel


def signed(key, parts):
    """Frames with a good signature over any parts."""
    return [DELIMITER, signature(key, parts), *parts]


def signature(key, parts):
    return hmac.new(key.encode(), b"".join(parts), hashlib.sha256).hexdigest().encode()


def rubbish(key):
    """By what is wrong with it."""
    header = {
        "msg_id": "1",
        "msg_type": "status",
        "session": "s",
        "username": "u",
        "date": "",
        "version": "5.3",
    }
    good = json.dumps(header).encode()
    return {
        "empty": [b""],
        "noise": [bytes(range(256))],
        "no-delimiter": [b"a", b"b", b"c", b"d", b"e", b"f"],
        "delimiter-only": [DELIMITER],
        "too-few-frames": [DELIMITER, b"", b"{}", b"{}"],
        "unsigned": [DELIMITER, b"", good, *FINE[1:]],
        "wrong-key": [DELIMITER, signature("another", [good, *FINE[1:]]), good, *FINE[1:]],
        "signature-of-another-message": [DELIMITER, signature(key, FINE), good, *FINE[1:]],
        "signature-no-hex": [DELIMITER, b"\xff" * 64, good, *FINE[1:]],
        "not-json": signed(key, [b"{", b"{", b"{", b"{"]),
        "not-utf8": signed(key, [b'"\xff"'] * 4),
        "not-objects": signed(key, [b"[]", b"1", b"null", b'"x"']),
        "deeply-nested": signed(key, [b"[" * 100_000, *FINE[1:]]),
        "empty-header": signed(key, FINE),
        "types-of-fields": signed(key, [b'{"msg_id": 1, "msg_type": [], "version": {}}', *FINE[1:]]),
        "many-frames": [b"x"] * 5000,
        "large": [DELIMITER, b"", b"x" * 5_000_000, b"{}", b"{}", b"{}"],
    }


def odd():
    """Well-formed and signed, and yet not what a client expects."""
    contents = ({}, {"status": 7}, {"execution_state": ["busy"]}, {"name": None, "text": 5}, {"data": 1})
    for content in contents:
        for kind in (
            "status",
            "stream",
            "display_data",
            "execute_reply",
            "input_request",
            "comm_msg",
            "nonsense",
        ):
            yield kind, content


@pytest.mark.parametrize("name", rubbish("key"))
async def test_rubbish_on_every_channel_is_dropped_and_the_client_goes_on(name, world, caplog):
    """Requests before and after it get their answers, and nothing is raised or hung."""
    async with fake_kernel(world.other) as fake, connect(fake.info) as kernel:
        before = kernel.execute("before")
        request = await fake.requests.get()
        frames = rubbish(fake.info.key)[name]
        for channel in ("iopub", "shell", "control", "stdin"):
            for _ in range(3):
                fake.send_raw(channel, frames)
        fake.answer(request, "first")
        async with asyncio.timeout(30):
            assert (await before).stdout == "first"
            after = kernel.execute("after")
            fake.answer(await fake.requests.get(), "second")
            assert (await after).stdout == "second"
        assert (await kernel.kernel_info()).content["implementation"] == "fake"
    assert fake.info.key not in caplog.text


async def test_a_replayed_message_is_taken_once(world):
    """The same signed output twice: the second one is dropped."""
    async with fake_kernel(world.other) as fake, connect(fake.info) as kernel:
        execution = kernel.execute("code")
        request = await fake.requests.get()
        frames = fake.sockets.session.serialize(messages.stream("stdout", "once", parent=request))
        for _ in range(3):
            fake.send_raw("iopub", [b"stream", *frames])
        fake.answer(request, ".")
        assert (await execution).stdout == "once."


async def test_messages_of_odd_content_harm_nobody(world):
    """Signed by the kernel and nonsense all the same, for our request, for no request, on any channel."""
    async with fake_kernel(world.other) as fake, connect(fake.info) as kernel:
        execution = kernel.execute("code")
        request = await fake.requests.get()
        for parent in (request, None):
            for kind, content in odd():
                if kind == "execute_reply" and parent is not None:
                    continue  # that is an answer, however odd
                message = messages.stream("stdout", "", parent=parent)
                message.header["msg_type"] = kind
                message.content.clear()
                message.content.update(content)
                for channel in ("iopub", "shell", "control", "stdin"):
                    frames = fake.sockets.session.serialize(message)
                    fake.send_raw(channel, frames[len(message.idents) :])
        fake.answer(request, "the end")
        async with asyncio.timeout(30):
            result = await execution
        assert result.status == "ok"
        assert result.outputs[-1]["text"].endswith("the end")


@pytest.mark.parametrize("content", [{}, {"status": 7}, {"status": ["ok"]}, {"status": None}])
async def test_a_reply_of_odd_content_still_ends_the_execution(content, world):
    """Whatever it says: an answer came, so that nobody hangs."""
    async with fake_kernel(world.other) as fake, connect(fake.info) as kernel:
        execution = kernel.execute("code")
        request = await fake.requests.get()
        reply = messages.execute_reply(1, parent=request)
        reply.content.clear()
        reply.content.update(content)
        fake.sockets.send("iopub", messages.status("busy", parent=request))
        fake.sockets.send("shell", reply)
        fake.sockets.send("iopub", messages.status("idle", parent=request))
        async with asyncio.timeout(30):
            result = await execution
        assert result.reply.content == content
        assert result.status in ("ok", "error")


async def test_an_interrupted_execution_ends_with_its_idle_where_no_reply_comes(world):
    """As ipykernel 7 does it when the interrupt arrives between busy and the code."""
    async with fake_kernel(world.other) as fake, connect(fake.info) as kernel:
        execution = kernel.execute("code")
        request = await fake.requests.get()
        fake.sockets.send("iopub", messages.status("busy", parent=request))
        interrupting = asyncio.create_task(execution.interrupt())
        await fake.interrupts.get()
        fake.sockets.send("iopub", messages.stream("stdout", "so far", parent=request))
        fake.sockets.send("iopub", messages.status("idle", parent=request))
        async with asyncio.timeout(15):
            assert await interrupting is InterruptOutcome.IDLE
            result = await execution
        assert (result.status, result.stdout, result.reply) == ("interrupted", "so far", None)


async def test_an_interrupt_waits_for_the_code_to_begin(world):
    """ipykernel loses one that comes between its busy and its preparations for one."""
    async with fake_kernel(world.other) as fake, connect(fake.info) as kernel:
        execution = kernel.execute("code")
        request = await fake.requests.get()
        fake.sockets.send("iopub", messages.status("busy", parent=request))
        async with asyncio.timeout(15):
            await kernel.client.until(lambda: kernel.execution_state == "busy")
            interrupting = asyncio.create_task(execution.interrupt())
            await asyncio.sleep(0)
            assert fake.interrupts.empty()
            fake.sockets.send("iopub", messages.execute_input("code", 1, parent=request))
            await fake.interrupts.get()
            reply = messages.execute_reply(1, parent=request)
            reply.content["status"] = "error"
            fake.sockets.send("shell", reply)
            fake.sockets.send("iopub", messages.status("idle", parent=request))
            assert await interrupting is InterruptOutcome.IDLE
            assert (await execution).status == "interrupted"


async def test_an_execution_ends_with_its_reply_where_no_idle_comes(world):
    """As some kernels do it."""
    async with fake_kernel(world.other) as fake, connect(fake.info) as kernel:
        execution = kernel.execute("code")
        request = await fake.requests.get()
        fake.sockets.send("iopub", messages.status("busy", parent=request))
        fake.sockets.send("shell", messages.execute_reply(1, parent=request))
        fake.sockets.send("iopub", messages.stream("stdout", "late", parent=request))
        async with asyncio.timeout(15):
            result = await execution
        assert (result.status, result.stdout) == ("ok", "late")
