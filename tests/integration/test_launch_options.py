"""What a launch can ask for beside a kernel type, on real kernels: each option does what it says."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import zmq

from jupyter_kernel_mgmt import KernelDied, LaunchError, Limits, StartupTimeout, Unsupported, connect, launch

if sys.platform == "win32":
    pytest.skip("limits, prefixes and descriptors are POSIX", allow_module_level=True)

GUARD = 30.0
EXAMPLE = Path(__file__).parents[2] / "examples" / "sandbox.md"

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits other processes and has /proc")


async def value(kernel, code):
    """What an expression is in a kernel."""
    async with asyncio.timeout(GUARD):
        result = await kernel.execute(code)
    assert result.status == "ok", result.error
    return result.text


# Environment


async def test_a_kernel_inherits_our_environment(monkeypatch):
    """And gets what is given besides, which counts more."""
    monkeypatch.setenv("OURS", "1")
    monkeypatch.setenv("BOTH", "ours")
    async with launch(env={"BOTH": "given"}) as kernel:
        assert await value(kernel, "import os; os.environ['OURS'], os.environ['BOTH']") == "('1', 'given')"


async def test_a_kernel_inherits_only_what_is_allowed(monkeypatch, world):
    """Names that are not there are no error."""
    monkeypatch.setenv("OURS", "1")
    monkeypatch.setenv("SECRET", "2")
    allowed = ("OURS", "NOT_THERE", *_WORLD)
    async with launch(env={"GIVEN": "3"}, env_policy=allowed) as kernel:
        code = "import os; [os.environ.get(n) for n in ('OURS', 'GIVEN', 'SECRET', 'NOT_THERE')]"
        assert await value(kernel, code) == "['1', '3', None, None]"


async def test_ipykernel_needs_nothing_of_our_environment(monkeypatch, ipykernel):
    """It starts with what is given alone; here that is where it finds the directories of this test."""
    monkeypatch.setenv("SECRET", "2")
    given = {name: os.environ[name] for name in _WORLD if name in os.environ}
    async with launch(ipykernel, env=given, env_policy="replace") as kernel:
        names = set(eval(await value(kernel, "import os; sorted(os.environ)")))  # noqa: S307 - a kernel of ours
        assert names & {"SECRET", "PATH", "USER"} == set()
        assert await value(kernel, "6 * 7") == "42"


_WORLD = ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME", "JKM_TEST", "TMPDIR")


# Limits


@linux
async def test_too_much_memory_is_an_error_in_the_kernel():
    """Which goes on."""
    async with launch(limits=Limits(memory=4 * 1024**3)) as kernel:
        result = await kernel.execute("huge = bytearray(8 * 1024**3)")
        assert result.error.ename == "MemoryError"
        assert await value(kernel, "6 * 7") == "42"


@linux
async def test_too_much_processor_time_ends_the_kernel_by_its_signal():
    """The waiter gets it; the limit holds for the next process too."""
    async with launch(limits=Limits(cpu_time=2)) as kernel:
        for _ in range(2):
            with pytest.raises(KernelDied) as caught:
                async with asyncio.timeout(GUARD):
                    await kernel.execute("while True: pass")
            assert caught.value.exit_info.returncode == -signal.SIGXCPU
            assert "SIGXCPU" in str(caught.value)
            await kernel.restart()


@linux
async def test_too_many_files_are_an_error_in_the_kernel():
    """Which goes on."""
    async with launch(limits=Limits(open_files=150)) as kernel:
        result = await kernel.execute("files = [open('/dev/null') for _ in range(200)]")
        assert (result.error.ename, "Too many open files" in result.error.evalue) == ("OSError", True)
        assert await value(kernel, "files = None; import resource; resource.getrlimit(7)") == "(150, 150)"


@linux
async def test_niceness_is_the_kernels_and_its_childrens():
    """Ours stays."""
    ours = os.nice(0)
    async with launch(limits=Limits(nice=7)) as kernel:
        code = "import os, subprocess; os.nice(0), int(subprocess.check_output(['nice']))"
        assert await value(kernel, code) == "(7, 7)"
    assert os.nice(0) == ours


# Prefix


async def test_a_prefix_is_put_before_the_command(run_until):
    """An interrupt and a restart reach the kernel behind it."""
    async with launch(prefix=("env", "BY_PREFIX=1")) as kernel:
        for _ in range(2):
            assert await value(kernel, "import os; os.environ['BY_PREFIX']") == "'1'"
            execution = await run_until(kernel, "import time; print('started', flush=True); time.sleep(600)")
            await execution.interrupt()
            assert (await execution).status == "interrupted"
            await kernel.restart()


async def test_a_prefix_that_cannot_be_run_is_a_clear_error():
    with pytest.raises(LaunchError, match=r"'no-such-sandbox' was not found"):
        await launch(prefix=("no-such-sandbox",))


def _bwrap_obstacle():
    if shutil.which("bwrap") is None:
        return "bwrap is not installed"
    tried = subprocess.run(
        ["bwrap", "--ro-bind", "/", "/", "--unshare-pid", "true"], capture_output=True, text=True, check=False
    )
    return f"bwrap cannot be used: {tried.stderr}" if tried.returncode else None


async def test_the_sandbox_of_the_example_keeps_the_kernel_in(world, monkeypatch, capsys):
    """It reads everything and writes only where it may; its processes end with it."""
    if (obstacle := _bwrap_obstacle()) is not None:
        pytest.skip(obstacle)
    (code,) = re.findall(r"```python\n(.*?)```", EXAMPLE.read_text(encoding="utf-8"), re.DOTALL)
    names = {"__name__": "example"}
    exec(code, names)
    work = world.other / "work"
    work.mkdir()
    async with asyncio.timeout(GUARD):
        await names["main"](work)
    assert "Read-only file system" in capsys.readouterr().out
    assert (work / "result.txt").read_text() == "42"


# Output

RAW = "import os, sys; os.write(sys.{0}._original_stdstream_copy, b'{1}\\n'); None"
"""Past ipykernel's own streams, to where the process's stdout or stderr went at first."""


FLOOD = """
import os, sys
for number in range(200):
    os.write(sys.stdout._original_stdstream_copy, b"x" * 9999 + b"\\n")
"""


async def write(kernel, text, stream="stdout"):
    """Let the kernel's process write a line to the pipe that it was started with."""
    assert (await kernel.execute(RAW.format(stream, text))).status == "ok"


async def test_output_goes_to_the_end_of_a_file(world):
    """Through a restart too, and in the end all is there; nobody else can read a file that we made."""
    file, other = world.other / "kernel.log", world.other / "other.log"
    file.write_text("before\n")
    async with launch(output=file) as kernel, launch(output=other):
        await write(kernel, "one")
        await kernel.restart()
        await write(kernel, "two", "stderr")
    lines = file.read_text().splitlines()
    assert (lines[0], [line for line in lines if line in ("one", "two")]) == ("before", ["one", "two"])
    assert other.stat().st_mode & 0o777 == 0o600


async def test_a_callback_gets_each_line_in_the_loop(eventually):
    """Through a restart too; one that raises is logged, and gets the next line all the same."""
    lines = []

    def output(line):
        lines.append((line, threading.current_thread() is threading.main_thread()))
        raise ValueError("not good")

    async with launch(output=output) as kernel:
        await write(kernel, "one")
        await kernel.restart()
        await write(kernel, "two")
        await eventually(lambda: ("two", True) in lines)
    assert [line for line in lines if line[0] in ("one", "two")] == [("one", True), ("two", True)]


async def test_a_kernel_that_floods_its_output_is_not_held_up_by_a_file_nobody_reads(world):
    """Nor is another one: a thread drains the pipes, and the end of the output is kept as well."""
    file = world.other / "kernel.log"
    async with launch(output=file) as loud, launch() as quiet:
        flooding = loud.execute(FLOOD)
        assert await value(quiet, "6 * 7") == "42"
        async with asyncio.timeout(GUARD):
            assert (await flooding).status == "ok"
        assert len(await loud.manager.output_tail()) > 60_000
    assert file.read_text().count("x" * 9999) == 200


def test_a_reader_that_has_stopped_holds_up_nobody_else(python_program, world):
    """A full fifo in place of a file: the other kernel's output still comes, and both can be closed."""
    written = python_program(STUCK, str(world.other / "fifo"), FLOOD, RAW.format("stdout", "here"))
    assert written.splitlines()[-1] == "closed"  # after a warning of what is lost


STUCK = """
import asyncio, fcntl, os, pathlib, struct, sys, termios
from jupyter_kernel_mgmt import launch

fifo, flood, write = sys.argv[1:]
os.mkfifo(fifo)
reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

def unread():
    return struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, bytes(4)))[0]

async def main():
    heard = asyncio.Event()
    def listen(line):
        if line == "here":
            heard.set()
    async with asyncio.timeout(20):
        async with launch(output=pathlib.Path(fifo)) as stuck, launch(output=listen) as other:
            stuck.execute(flood)
            while unread() < 60_000:
                await asyncio.sleep(0.005)
            await other.execute(write)
            await heard.wait()
    print("closed")

asyncio.run(main())
"""


def test_inherited_output_comes_on_our_stderr():
    """And not on stdout, which may be somebody's data."""
    program = """
import asyncio, os, sys
from jupyter_kernel_mgmt import launch
os.environ.pop("PYTEST_CURRENT_TEST", None)
async def main():
    async with launch(output="inherit") as kernel:
        await kernel.execute(sys.argv[1])
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, RAW.format("stdout", "seen")],
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=True,
    )
    assert "seen" in done.stderr.splitlines()
    assert done.stdout == ""


async def test_output_that_cannot_be_written_is_a_clear_error(world):
    with pytest.raises(LaunchError, match=r"output file .* cannot be written"):
        await launch(output=world.other / "absent" / "kernel.log")


# Encryption


@pytest.fixture
def curve():
    """Where ZMQ and ipykernel can encrypt."""
    pytest.importorskip("ipykernel", minversion="7")
    if not zmq.has("curve"):
        pytest.skip("this libzmq cannot encrypt")


async def test_a_client_without_the_key_gets_nothing(curve):
    """Not even the sign that somebody is there; one with the file works."""
    async with launch(transport="tcp", encryption="required") as kernel:
        info = kernel.connection_info
        assert info.curve_publickey
        plain = {**info.to_dict(), "curve_publickey": None, "curve_secretkey": None}
        with pytest.raises(StartupTimeout):
            await connect({k: v for k, v in plain.items() if v is not None}, startup_timeout=1)
        async with connect(kernel.connection_file) as other:
            assert await value(other, "6 * 7") == "42"
        await kernel.restart()
        assert kernel.connection_info.curve_publickey == info.curve_publickey
        assert await value(kernel, "6 * 7") == "42"


@pytest.mark.parametrize(
    ("transport", "encryption", "encrypted"),
    [
        ("tcp", "auto", True),
        ("tcp", "disabled", False),
        ("ipc", "auto", False),
        ("ipc", "required", True),
        ("picked-ports", "auto", True),
    ],
)
async def test_what_is_encrypted(curve, transport, encryption, encrypted):
    """tcp, unless it is not wanted; sockets in a private directory only where it is required."""
    async with launch(transport=transport, encryption=encryption) as kernel:
        assert bool(kernel.connection_info.curve_publickey) is encrypted
        assert await value(kernel, "6 * 7") == "42"


@linux
async def test_keys_are_in_no_log_environment_command_line_or_repr(curve, caplog, descendants, capfd):
    """Only in the connection file, which is its owner's alone."""
    caplog.set_level("DEBUG")
    heard = []
    async with launch(
        transport="tcp", encryption="required", on_event=heard.append, output="inherit"
    ) as kernel:
        info = kernel.connection_info
        keys = [info.key, info.curve_publickey, info.curve_secretkey]
        await kernel.execute("6 * 7")
        await kernel.restart()
        processes = descendants()
        assert kernel.manager.pid in processes
        seen = [
            Path(f"/proc/{pid}/{name}").read_text() for pid in processes for name in ("environ", "cmdline")
        ]
        seen += map(repr, (info, kernel, kernel.manager, kernel.client, heard))
        assert kernel.connection_file.stat().st_mode & 0o777 == 0o600
    seen += [caplog.text, *capfd.readouterr(), *(str(vars(record)) for record in caplog.records)]
    assert len(caplog.records) > 1
    for key in keys:
        assert not any(key in text for text in seen)


@pytest.mark.parametrize("kernel_type", ["ipykernel6", "xpython", "deno", "bash", "ir"])
async def test_a_kernel_that_cannot_encrypt_says_so_by_name(kernel_type, require):
    """Before anything is started; left to itself it runs without."""
    require(kernel_type)
    with pytest.raises(Unsupported, match="does not declare") as caught:
        await launch(kernel_type, transport="tcp", encryption="required")
    assert caught.value.option == "encryption"


@pytest.mark.parametrize(
    ("option", "wrong"),
    [("encryption", "maybe"), ("env_policy", "none"), ("output", 7), ("transport", "udp")],
)
async def test_what_is_no_choice_is_refused_by_name(option, wrong):
    """It is not ignored."""
    with pytest.raises(Unsupported) as caught:
        await launch(**{option: wrong})
    assert caught.value.option == option


# Packing


@pytest.mark.parametrize("forkserver", [False, True])
@pytest.mark.parametrize("transport", ["ipc", "tcp"])
async def test_a_kernel_speaks_msgpack_where_that_is_asked_for(transport, forkserver):
    """Restarted too; whoever reads its connection file knows."""
    async with launch(packer="msgpack", transport=transport, forkserver=forkserver) as kernel:
        assert (await kernel.execute("6 * 7")).text == "42"
        await kernel.restart()
        async with connect(kernel.connection_file) as other:
            assert other.connection_info.packer == "msgpack"
            assert (await other.execute("b'\\xff'")).text == "b'\\xff'"


async def test_a_kernel_that_cannot_pack_so_is_not_started(descendants):
    """It is refused by the option's name."""
    with pytest.raises(Unsupported, match="packer"):
        await launch(packer="pickle")
    assert not descendants()
