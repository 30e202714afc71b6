"""Encrypted kernels and kernels that speak msgpack, started by themselves: connected to like any other."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import zmq

from jupyter_kernel_mgmt import InterruptOutcome, Kernel, StartupTimeout, connect
from jupyter_protocol import ConnectionInfo, messages
from jupyter_protocol.heartbeat import Heartbeat

GUARD = 30.0

ECHO = """
def opened(comm, message):
    @comm.on_msg
    def echo(message):
        buffers = [bytes(buffer)[::-1] for buffer in message["buffers"]]
        comm.send(message["content"]["data"], buffers=buffers)
get_ipython().kernel.comm_manager.register_target("echo", opened)
"""

Start = Callable[..., Awaitable[Path]]


@pytest.fixture
async def start(world, eventually) -> AsyncIterator[Start]:
    """Starts ipykernel on a connection file of its own and gives that file; ends it after the test."""
    pytest.importorskip("ipykernel", minversion="7")
    async with AsyncExitStack() as stack:

        async def started(*, curve: bool, packer: str) -> Path:
            keys = dict.fromkeys(("curve_publickey", "curve_secretkey"))
            if curve:
                if not zmq.has("curve"):
                    pytest.skip("this libzmq cannot encrypt")
                keys = dict(zip(keys, (key.decode() for key in zmq.curve_keypair()), strict=True))
            file = world.other / "kernel.json"
            ConnectionInfo(**keys, packer=packer).write(
                file
            )  # with ports 0: it binds its own and writes them
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "ipykernel_launcher", "-f", str(file)),
                *(f"--Session.packer={packer}", "--IPKernelApp.log_level=CRITICAL"),
                stdin=asyncio.subprocess.DEVNULL,
            )
            stack.push_async_callback(process.wait)
            stack.callback(process.kill)
            await eventually(lambda: _is_bound(file))
            return file

        yield started


def _is_bound(file: Path) -> bool:
    """Whether the kernel has written its ports; it does so in several steps."""
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError):
        return False
    return all(values.get(f"{channel}_port") for channel in ("shell", "iopub", "stdin", "control", "hb"))


@pytest.fixture(params=["curve", "msgpack", "curve msgpack"])
async def file(request, start) -> Path:
    """The connection file of a kernel with encryption, another packer, or both."""
    return await start(
        curve="curve" in request.param, packer="msgpack" if "msgpack" in request.param else "json"
    )


async def test_the_file_says_all_that_is_needed(file):
    """The keys and the packer, and what the kernel wrote into it; no key is shown."""
    info = ConnectionInfo.load(file)
    assert info.curve_publickey or info.packer == "msgpack"
    for key in (info.key, info.curve_publickey, info.curve_secretkey):
        assert not key or key not in repr(info)


async def test_code_runs_and_its_output_comes(file):
    """Output, values, displays, errors and completions, while many requests are under way."""
    async with connect(file) as kernel:
        result = await kernel.execute("import sys; print('hello'); print('é', file=sys.stderr); 6 * 7")
        assert (result.status, result.stdout, result.stderr, result.text) == ("ok", "hello\n", "é\n", "42")
        error = (await kernel.execute("1/0")).error
        assert (error.ename, error.evalue) == ("ZeroDivisionError", "division by zero")
        assert "import" in (await kernel.complete("impor")).content["matches"]
        many = [kernel.execute(f"print({i}); {i}") for i in range(50)]
        assert [((await e).stdout, (await e).text) for e in many] == [(f"{i}\n", f"{i}") for i in range(50)]


async def test_big_outputs_come_whole(file):
    """A million characters in one message, and two thousand messages."""
    async with connect(file) as kernel:
        assert len((await kernel.execute("'x' * 1_000_000")).text) == 1_000_002
        code = "for i in range(2000): display({'text/plain': str(i)}, raw=True)"
        outputs = (await kernel.execute(code)).outputs
        assert [output["data"]["text/plain"] for output in outputs] == [str(i) for i in range(2000)]


async def test_questions_are_answered(file):
    """On stdin, which needs the same keys and the same identity as shell."""
    asked = []

    async def answer(prompt: str, password: bool) -> str:
        asked.append((prompt, password))
        return "Ada"

    async with connect(file, stdin=answer) as kernel:
        code = "from getpass import getpass; input('name? ') + getpass('word? ')"
        assert (await kernel.execute(code)).text == "'AdaAda'"
    assert asked == [("name? ", False), ("word? ", True)]


async def test_an_interrupt_goes_over_control(file, run_until):
    """Nobody here manages the process: the kernel is asked to interrupt itself."""
    async with connect(file) as kernel:
        running = await run_until(
            kernel, "print('started', flush=True)\nimport time\nwhile True: time.sleep(0.05)"
        )
        assert await kernel.interrupt() is InterruptOutcome.IDLE
        assert (await running).error.ename == "KeyboardInterrupt"
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_buffers_travel_both_ways(file):
    """With comms: bytes as they are, however many, also none and empty ones."""
    async with connect(file) as kernel:
        await kernel.execute(ECHO)
        kernel.client.send("shell", messages.comm_open("c1", "echo", {}))
        sent = [b"\x00\xff\x80", b"", bytes(range(256)) * 1000]
        async with kernel.client.messages() as stream, asyncio.timeout(GUARD):
            for buffers in (sent, []):
                kernel.client.send("shell", messages.comm_msg("c1", {"n": [1.5, None]}, buffers=buffers))
                echo = await _next(stream, "comm_msg")
                assert echo.content == {"comm_id": "c1", "data": {"n": [1.5, None]}}
                assert [bytes(buffer) for buffer in echo.buffers] == [buffer[::-1] for buffer in buffers]


async def _next(stream, msg_type):
    async for _, message in stream:
        if message.msg_type == msg_type:
            return message
    raise AssertionError(f"no {msg_type} came")


async def test_the_heartbeat_is_heard(file, run_until):
    """Also while code runs."""
    async with connect(file) as kernel, Heartbeat(kernel.connection_info, interval=0.05) as heartbeat:
        async with asyncio.timeout(GUARD):
            await heartbeat.wait_for_echo()
            await run_until(kernel, "print('started', flush=True)\nimport time\nwhile True: time.sleep(0.05)")
            await heartbeat.wait_for_echo()
        assert heartbeat.silence is not None


async def test_several_clients_connect_at_once(file):
    """Each with a key pair of its own; each gets its own output."""
    async with asyncio.timeout(GUARD), AsyncExitStack() as stack:
        kernels = [await stack.enter_async_context(connect(file)) for _ in range(4)]
        runs = [kernel.execute(f"print({i})") for i, kernel in enumerate(kernels)]
        assert [(await run).stdout for run in runs] == [f"{i}\n" for i in range(4)]


# What does not fit


@asynccontextmanager
async def goes_on(file: Path) -> AsyncIterator[None]:
    """Whatever strangers did meanwhile, the kernel serves those who have the keys."""
    async with connect(file) as kernel:
        yield
        assert (await kernel.execute("6 * 7")).text == "42"


async def refused(values: dict) -> str:
    """The text of the time-out that connecting ends with."""
    with pytest.raises(StartupTimeout) as caught:
        await connect(values, startup_timeout=1)
    for name in ("key", "curve_publickey", "curve_secretkey"):
        assert not values.get(name) or values[name] not in str(caught.value)
    return str(caught.value)


async def test_a_wrong_server_key_is_a_clear_time_out(start):
    """It names the key to look at, and quotes none."""
    file = await start(curve=True, packer="json")
    async with goes_on(file):
        values = ConnectionInfo.load(file).to_dict()
        text = await refused(values | {"curve_publickey": zmq.curve_keypair()[0].decode()})
        assert "did not answer at all" in text
        assert "is encrypted: curve_publickey is not its own" in text


async def test_a_plain_client_of_an_encrypted_kernel_is_a_clear_time_out(start):
    """It says who encrypts and who does not."""
    file = await start(curve=True, packer="json")
    async with goes_on(file):
        values = ConnectionInfo.load(file).to_dict() | {"curve_publickey": None, "curve_secretkey": None}
        text = await refused(values)
        assert "uses encryption (CURVE), we use no encryption" in text


async def test_an_encrypting_client_of_a_plain_kernel_is_a_clear_time_out(start):
    """It says who encrypts and who does not; nothing was said in the clear instead."""
    file = await start(curve=False, packer="json")
    async with goes_on(file):
        values = ConnectionInfo.load(file).to_dict()
        text = await refused(values | {"curve_publickey": zmq.curve_keypair()[0].decode()})
        assert "uses no encryption, we use encryption (CURVE)" in text


@pytest.mark.parametrize("other", [{"packer": "json"}, {"key": "another"}], ids=["packer", "key"])
async def test_another_packer_or_key_is_a_clear_time_out(start, other):
    """The kernel is there, as its heartbeat shows, and does not take what we send."""
    file = await start(curve=False, packer="msgpack")
    async with goes_on(file):
        text = await refused(ConnectionInfo.load(file).to_dict() | other)
        assert "refuses our messages (other key or packer)" in text


async def test_the_public_key_is_enough(start):
    """A client needs no secret of the kernel's but the signing key."""
    file = await start(curve=True, packer="json")
    values = ConnectionInfo.load(file).to_dict()
    del values["curve_secretkey"]
    async with connect(values) as kernel:
        assert isinstance(kernel, Kernel)
        assert (await kernel.execute("6 * 7")).text == "42"
