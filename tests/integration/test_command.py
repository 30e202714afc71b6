"""The command jupyter-kernels as users run it: a program of its own, with real kernels, and in a terminal."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import connect
from jupyter_kernel_mgmt.cli.terminal import plain
from jupyter_protocol import ConnectionInfo

COMMAND = (sys.executable, "-m", "jupyter_kernel_mgmt.cli")
GUARD = 12
KERNEL = "pyimport/kernel"
posix = pytest.mark.skipif(sys.platform == "win32", reason="of signals and terminals")


@dataclass
class Program:
    """The command while it runs."""

    process: asyncio.subprocess.Process

    async def line(self) -> str:
        """The next line on its stdout."""
        assert self.process.stdout is not None
        async with asyncio.timeout(GUARD):
            return (await self.process.stdout.readline()).decode()

    async def end(self) -> tuple[int | None, str, str]:
        """Wait for its end: exit code and the rest of its output."""
        async with asyncio.timeout(GUARD):
            output, errors = await self.process.communicate()
        return self.process.returncode, output.decode(), errors.decode()


@asynccontextmanager
async def running(*arguments: str, typed: bytes | None = None) -> AsyncIterator[Program]:
    """Start it; it is gone after the block."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    if typed is not None:
        process.stdin.write(typed)
    process.stdin.close()
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def run(*arguments: str, typed: bytes = b"") -> tuple[int | None, str, str]:
    """Run it to its end: exit code, stdout and stderr."""
    async with running(*arguments, typed=typed) as program:
        return await program.end()


# list


async def test_list_shows_what_can_be_launched():
    """As a table without escapes in a pipe, and as JSON."""
    code, output, errors = await run("list")
    assert (code, errors) == (0, "")
    assert re.search(r"^pyimport/kernel +Python .* +python *$", output, re.MULTILINE)
    assert "\x1b" not in output

    code, output, errors = await run("list", "--json")
    assert (code, errors) == (0, "")
    found = json.loads(output)
    assert KERNEL in [kernel["type"] for kernel in found["kernels"]]
    assert found["problems"] == []


async def test_list_tells_of_a_misspelt_provider(world, monkeypatch):
    """And where it is configured."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(world.other))
    (world.other / "jupyter_kernel_mgmt.toml").write_text("[providers.enviroments]\n")
    code, _, errors = await run("list")
    assert code == 0
    assert re.search("problem: configuration: .*line 1.*did you mean 'environments'", errors)


async def test_list_says_what_is_wrong_where(spec):
    """That alone is no failure."""
    file = spec("broken", text="{")
    code, output, errors = await run("list")
    assert code == 0
    assert "pyimport/kernel" in output
    assert f"not launchable: spec/broken: {file} is not JSON" in errors

    code, output, errors = await run("list", "--json")
    obstacles = {kernel["type"]: kernel["obstacle"] for kernel in json.loads(output)["kernels"]}
    assert (code, errors) == (0, "")
    assert str(file) in obstacles["spec/broken"]
    assert obstacles[KERNEL] == ""


@posix
async def test_a_reader_that_leaves_is_no_error(world):
    """As head does: no traceback, the exit code of SIGPIPE, and the kernel ends."""
    async with running("exec", KERNEL, "-c", "while True: print('x' * 1000)") as program:
        assert await program.line() == "x" * 1000 + "\n"
        program.process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        async with asyncio.timeout(GUARD):
            assert program.process.stderr is not None
            errors = await program.process.stderr.read()
            code = await program.process.wait()
    assert (code, errors) == (141, b"")


# exec


async def test_exec_streams_to_both_streams_and_shows_values():
    """Nothing else is on either of them."""
    code = "import sys; print('out'); print('err', file=sys.stderr); {'a': 6 * 7}"
    assert await run("exec", KERNEL, "-c", code) == (0, "out\n{'a': 42}\n", "err\n")


async def test_exec_takes_code_from_a_file_or_stdin(world):
    """In any directory."""
    file = world.other / "code.py"
    file.write_text("import os; print(os.getcwd())")
    assert (await run("exec", KERNEL, str(file), "--cwd", str(world.other)))[:2] == (0, f"{world.other}\n")
    assert await run("exec", KERNEL, "-", typed=b"print('\xc3\xa9')") == (0, "é\n", "")


async def test_exec_launches_with_parameters(spec):
    """One is as it is on a notebook's command line; what there is not is refused by name."""
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    metadata = {"parameters": {"level": {"type": "integer", "minimum": 0}}}
    kernel = {"argv": argv, "display_name": "x", "language": "python", "env": {"LEVEL": "{level}"}}
    spec("leveled", text=json.dumps({**kernel, "metadata": metadata}))

    def exec_with(*given):
        options = [part for text in given for part in ("--launch-parameters", text)]
        return run("exec", "leveled", "-c", "import os; print(os.environ['LEVEL'])", *options)

    assert await exec_with("level=1", "level=3") == (0, "3\n", "")
    code, output, errors = await exec_with("leve=3")
    assert (code, output) == (3, "")
    assert "did you mean 'level'" in errors
    code, _, errors = await exec_with("no.json")
    assert code == 2
    assert "--launch-parameters takes NAME=VALUE or a JSON file" in errors


async def test_exec_shows_output_as_it_arrives(world, eventually):
    """While the code still runs."""
    file = world.other / "go"
    code = (
        "import pathlib, time\nprint('first')\n"
        f"while not pathlib.Path({str(file)!r}).exists(): time.sleep(0.01)\nprint('second')"
    )
    async with running("exec", KERNEL, "-c", code) as program:
        assert await program.line() == "first\n"
        file.touch()
        assert await program.end() == (0, "second\n", "")


async def test_exec_tells_errors():
    """Traceback on stderr, plain where it is no terminal."""
    code, output, errors = await run("exec", KERNEL, "-c", "print(1); 1 / 0")
    assert (code, output) == (1, "1\n")
    assert "ZeroDivisionError: division by zero" in errors
    assert "\x1b" not in errors


async def test_exec_refuses_questions_without_a_terminal():
    """At once, as an error in the code."""
    code, output, errors = await run("exec", KERNEL, "-c", "input('who? ')")
    assert (code, output) == (1, "")
    assert "StdinNotImplementedError" in errors


async def test_exec_ends_code_that_takes_too_long():
    """With timeout's exit code, and what it had written."""
    code, output, errors = await run(
        "exec", KERNEL, "--timeout", "0.5", "-c", "import time\nprint(1)\ntime.sleep(600)"
    )
    assert (code, output) == (124, "1\n")
    assert errors.endswith("jupyter-kernels: the code ran longer than 0.5 s\n")


async def test_exec_tells_that_the_kernel_died():
    """And how, in one message."""
    code, _, errors = await run("exec", KERNEL, "-c", "import os; os._exit(7)")
    assert code == 4
    assert "the kernel died: exit code 7" in errors
    assert "Traceback" not in errors


@posix
async def test_ctrl_c_interrupts_the_code():
    """Which may end as it likes."""
    code = "import time\nprint('on')\ntime.sleep(600)"
    async with running("exec", KERNEL, "-c", code) as program:
        assert await program.line() == "on\n"
        program.process.send_signal(signal.SIGINT)
        ended, output, errors = await program.end()
    assert (ended, output) == (130, "")
    assert "KeyboardInterrupt" in errors


@posix
async def test_a_second_ctrl_c_ends_code_that_goes_on():
    """And its kernel."""
    code = (
        "import time\nprint('on')\n"
        "while True:\n  try: time.sleep(600)\n  except KeyboardInterrupt: print('no', flush=True)"
    )
    async with running("exec", KERNEL, "-c", code) as program:
        assert await program.line() == "on\n"
        program.process.send_signal(signal.SIGINT)
        assert await program.line() == "no\n"
        program.process.send_signal(signal.SIGINT)
        ended, _, errors = await program.end()
    assert ended == 130
    assert "Traceback" not in errors


@posix
async def test_sigterm_ends_everything():
    """With its exit code."""
    async with running("exec", KERNEL, "-c", "import time\nprint('on')\ntime.sleep(600)") as program:
        assert await program.line() == "on\n"
        program.process.terminate()
        assert await program.end() == (143, "", "")


@pytest.mark.parametrize("command", ["exec", "launch"])
async def test_an_unknown_kernel_type_is_one_message(command):
    """With near names; --debug has the traceback."""
    more = ["-c", "1"] if command == "exec" else []
    code, output, errors = await run(command, "pyimport/kernl", *more)
    assert (code, output) == (3, "")
    assert "there is no kernel type 'pyimport/kernl'; did you mean 'pyimport/kernel'" in errors
    assert "Traceback" not in errors
    assert "Traceback" in (await run(command, "pyimport/kernl", *more, "--debug"))[2]


async def test_a_kernel_that_does_not_start_is_told(spec):
    """With what it wrote."""
    spec("dying", [sys.executable, "-c", "raise SystemExit('not today')", "{connection_file}"])
    code, output, errors = await run("exec", "dying", "-c", "1")
    assert (code, output) == (3, "")
    assert "not today" in errors


# launch


@posix
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda signum: signum.name)
async def test_launch_keeps_a_kernel_up_until_a_signal(signum):
    """Others can use it meanwhile; then it ends, and its file is gone."""
    async with running("launch", KERNEL) as program:
        file = Path((await program.line()).rstrip("\n"))
        async with connect(file) as kernel:
            assert (await kernel.execute("6 * 7")).text == "42"
        program.process.send_signal(signum)
        code, output, errors = await program.end()
    assert (code, output, errors) == (0, "", f"jupyter-kernels: starting {KERNEL}\n")
    assert not file.exists()


async def test_launch_tells_when_the_kernel_ends_by_itself():
    """With the reason and an exit code of its own."""
    async with running("launch", KERNEL, "--json") as program:
        told = json.loads(await program.line())
        assert told["kernel_type"] == KERNEL
        assert {"kernel_id", "connection_file", "transport", "ip"} < told.keys()
        assert ConnectionInfo.load(told["connection_file"]).transport == told["transport"]
        async with connect(told["connection_file"]) as kernel:
            kernel.execute("import os; os._exit(5)")
            code, _, errors = await program.end()
    assert code == 4
    assert "jupyter-kernels: the kernel has ended: exit code 5" in errors


# doctor


async def test_doctor_finds_nothing_where_nothing_is_wrong(world, monkeypatch):
    """In a world with one kernelspec, that of this interpreter."""
    world.runtime.chmod(0o700)
    code, output, errors = await run("doctor", "--json")
    found = json.loads(output)
    assert set(found["versions"]) == {"python", "pyzmq", "libzmq", "curve", "ipc"}
    assert errors == ""
    wrong = [finding for finding in found["findings"] if finding["severity"] != "info"]
    assert code == (1 if wrong else 0)
    assert [finding for finding in wrong if "kernel.json" not in finding["where"]] == []


@posix
async def test_doctor_says_what_is_wrong_and_cleans_when_told_to(world, spec):
    """A file that is alive is not touched."""
    world.runtime.chmod(0o755)
    bad, lost = spec("bad", text="[]"), spec("lost", ["/no/such/program", "{connection_file}"])
    dead = world.runtime / "kernel-dead.json"
    ConnectionInfo(transport="ipc", ip=str(world.other / "none"), shell_port=1).write(dead)
    os.utime(dead, (time.time() - 200_000,) * 2)
    async with running("launch", KERNEL) as program:
        alive = Path((await program.line()).rstrip("\n"))
        os.utime(alive, (time.time() - 200_000,) * 2)

        code, output, errors = await run("doctor")
        assert (code, errors) == (1, "")
        for text in (f"{bad} holds no JSON object", str(lost), "'/no/such/program' does not exist"):
            assert text in output
        assert f"to do: chmod 700 {world.runtime}" in output
        assert f"warning {dead}\n  its kernel is gone" in output
        assert str(alive) not in output
        assert dead.exists()

        code, output, _ = await run("doctor", "--clean")
        assert "the file has been removed" in output
        assert (dead.exists(), alive.exists()) == (False, True)
        program.process.terminate()
        assert (await program.end())[0] == 0


# install and remove


async def test_what_is_installed_can_be_used_until_it_is_removed():
    """Written from a command, by the program alone."""
    options = ["--user", "--name", "mine", "--language", "python"]
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    code, output, errors = await run("install", *options, "--argv", *argv)
    assert (code, errors) == (0, "")
    assert output.startswith("spec/mine is installed in ")
    assert (await run("exec", "mine", "-c", "6 * 7"))[:2] == (0, "42\n")

    assert (await run("remove", "mine", typed=b"y\n"))[0] == 2
    assert (await run("remove", "mine", "--yes"))[0] == 0
    assert (await run("exec", "mine", "-c", "6 * 7"))[0] == 3


# In a terminal


class Terminal:
    """A program in a terminal of its own, 80 × 24."""

    def __init__(self, *command: str, **environment: str) -> None:
        pexpect = pytest.importorskip("pexpect")
        self.child = pexpect.spawn(
            command[0],
            [*command[1:]],
            encoding="utf-8",
            timeout=GUARD,
            dimensions=(24, 80),
            env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **environment},
        )
        self._ended = pexpect.EOF
        self.seen = ""

    async def shows(self, *texts: str) -> None:
        """Wait until it has shown them, in this order."""
        for text in texts:
            await asyncio.to_thread(self.child.expect, text)
            self.seen += self.child.before + self.child.after

    async def type(self, line: str, *texts: str) -> None:
        """Type a line, and wait for what comes of it."""
        self.child.send(line + "\r")
        await self.shows(*texts)

    async def end(self) -> int | None:
        """Wait for its end, and return its exit code."""
        await asyncio.to_thread(self.child.expect, self._ended)
        self.seen += self.child.before
        await asyncio.to_thread(self.child.wait)
        code: int | None = self.child.exitstatus
        return code


@pytest.fixture
async def terminal() -> AsyncIterator[Callable[..., Terminal]]:
    """Starts the command in a terminal; what still runs after the test is ended."""
    opened: list[Terminal] = []

    def start(*arguments: str, **environment: str) -> Terminal:
        opened.append(Terminal(*COMMAND, *arguments, **environment))
        return opened[-1]

    yield start
    for each in opened:
        await asyncio.to_thread(each.child.close, force=True)


def prompt(number: int) -> str:
    """The pattern of the console's prompt, with whatever colours it has."""
    return rf"In \[{number}\]:"


@posix
async def test_list_in_a_terminal_has_bold_type_and_no_backgrounds(terminal):
    """And none of it with NO_COLOR."""
    coloured = terminal("list")
    assert await coloured.end() == 0
    assert "\x1b[1m" in coloured.seen
    codes = {code for codes in re.findall(r"\x1b\[([0-9;]*)m", coloured.seen) for code in codes.split(";")}
    assert codes <= {"0", "1", "2", "3", "22", ""}
    assert max(map(len, plain(coloured.seen).splitlines())) <= 80

    bare = terminal("list", NO_COLOR="1")
    assert await bare.end() == 0
    assert "\x1b" not in bare.seen


@posix
async def test_remove_asks_before_it_removes(spec, terminal):
    """Only yes is yes; Ctrl-C and Ctrl-D are no, each with an exit code."""
    directory = spec("mine", ["x"]).parent
    for keys, code in (("\r", 1), ("n\r", 1), ("\x04", 1), ("\x03", 130)):
        program = terminal("remove", "mine")
        await program.shows(str(directory), r"Remove it and all files in there\? \[y/N\]")
        program.child.send(keys)
        assert await program.end() == code
        assert directory.exists()

    program = terminal("remove", "mine")
    await program.shows(r"\[y/N\]")
    await program.type("yes", "spec/mine is removed")
    assert await program.end() == 0
    assert not directory.exists()


@posix
async def test_exec_answers_questions_from_the_terminal(terminal):
    """And does not show passwords."""
    code = "import getpass\nprint('hello', input('who? '))\nprint(len(getpass.getpass('secret: ')))"
    program = terminal("exec", KERNEL, "-c", code)
    await program.shows(r"who\?")
    await program.type("Ada", "hello Ada", "secret:")
    await program.type("hunter2", "7")
    assert await program.end() == 0
    assert "hunter2" not in program.seen


@posix
async def test_ctrl_c_at_a_question_interrupts_the_code_that_asks(terminal):
    """It is a key there, and no signal."""
    program = terminal("exec", KERNEL, "-c", "input('who? ')")
    await program.shows(r"who\?")
    program.child.send("\x03")
    assert await program.end() == 130
    assert "KeyboardInterrupt" in plain(program.seen)


@posix
async def test_errors_in_a_terminal_have_colours_unless_declined(terminal):
    """Those of the kernel."""
    coloured = terminal("exec", KERNEL, "-c", "1/0")
    assert await coloured.end() == 1
    assert "\x1b[" in coloured.seen
    bare = terminal("exec", KERNEL, "-c", "1/0", NO_COLOR="1")
    assert await bare.end() == 1
    assert "\x1b" not in bare.seen
    assert "ZeroDivisionError" in bare.seen


@posix
async def test_console_runs_what_is_typed(terminal):
    """Values, output, several lines, errors, questions; what is typed ahead is in order; Ctrl-D leaves."""
    console = terminal("console", KERNEL)
    await console.shows(prompt(1))
    await console.type("6 * 7", r"42\r\n", prompt(2))
    await console.type("def f(x):\rreturn x + 1\r\rf(40)", r"41\r\n", prompt(4))
    await console.type("1 / 0", "ZeroDivisionError", "division by zero", prompt(5))
    await console.type("print('no end', end='')", "no end\r\n", prompt(6))
    await console.type("input('who? ')", r"who\?")
    await console.type("Ada", "'Ada'", prompt(7))
    await console.type("from IPython.display import HTML as H; H('<b>')", "<IPython.core", prompt(8))
    console.child.send("\x04")
    assert await console.end() == 0


@posix
async def test_console_completes(terminal):
    """By asking the kernel."""
    console = terminal("console", KERNEL)
    await console.shows(prompt(1))
    await console.type("unheard_of = 42", prompt(2))
    console.child.send("unhea\t")
    await console.shows("rd_of")
    await console.type("", r"42\r\n", prompt(3))
    console.child.send("\x04")
    assert await console.end() == 0


@posix
async def test_ctrl_c_in_the_console_clears_the_line_or_interrupts(terminal):
    """And the console goes on."""
    console = terminal("console", KERNEL)
    await console.shows(prompt(1))
    console.child.send("nonsense\x03")
    await console.shows(prompt(1))
    await console.type("import time\rprint('on'); time.sleep(600)", r"on\r\n")
    console.child.sendintr()
    await console.shows("KeyboardInterrupt", prompt(3))
    await console.type("6 * 7", r"42\r\n", prompt(4))
    console.child.send("\x04")
    assert await console.end() == 0


@posix
async def test_console_leaves_code_that_heeds_no_interrupt(terminal):
    """With a further Ctrl-C; its kernel ends."""
    console = terminal("console", KERNEL)
    await console.shows(prompt(1))
    code = "import signal, time; signal.signal(2, signal.SIG_IGN); print('on'); time.sleep(600)"
    await console.type(code, r"on\r\n")
    console.child.sendintr()
    await console.shows("once more leaves")
    console.child.sendintr()
    assert await console.end() == 130


@posix
async def test_output_of_threads_appears_above_the_prompt(terminal, world):
    """When it comes, and what is typed stays."""
    console = terminal("console", KERNEL)
    await console.shows(prompt(1))
    go = world.other / "go"
    code = (
        "import threading, time, pathlib; go = lambda: pathlib.Path("
        f"{str(go)!r}).exists() or (time.sleep(0.01), go())"
    )
    await console.type(code, prompt(2))
    await console.type("threading.Thread(target=lambda: (go(), print('late'))).start()", prompt(3))
    console.child.send("6 *")
    await console.shows(r"\*")
    go.touch()
    await console.shows("late", prompt(3))
    await console.type(" 7", r"42\r\n", prompt(4))
    console.child.send("\x04")
    assert await console.end() == 0


@posix
async def test_console_tells_the_death_of_its_kernel(terminal):
    """While code runs, and while one types."""
    console = terminal("console", KERNEL)
    await console.shows(prompt(1))
    await console.type("import os; os._exit(5)", "the kernel has ended: exit code 5")
    assert await console.end() == 4


@posix
async def test_console_on_the_kernel_of_somebody_else(terminal):
    """Which goes on afterwards."""
    async with running("launch", KERNEL) as program:
        file = (await program.line()).rstrip("\n")
        async with connect(file) as kernel:
            await kernel.execute("x = 42")
            console = terminal("console", file)
            await console.shows(prompt(1))
            await console.type("x", r"42\r\n", r"In \[")
            console.child.send("\x04")
            assert await console.end() == 0
            assert (await kernel.execute("x")).text == "42"
        program.process.terminate()
        assert (await program.end())[0] == 0


async def test_console_without_a_terminal_says_so():
    """And what to use."""
    code, _, errors = await run("console", KERNEL)
    assert (code, "needs a terminal" in errors) == (2, True)


@posix
async def test_launch_in_a_terminal_shows_progress_and_ends_with_ctrl_c(terminal):
    """The path stands on a line of its own."""
    program = terminal("launch", KERNEL)
    await program.shows(r"kernel-[0-9a-f-]+", "Ctrl-C ends it")
    program.child.sendintr()
    assert await program.end() == 0
