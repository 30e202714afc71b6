"""Forks of an agent: what was imported for them, and how they run and end."""

import signal
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt import LaunchError
from jupyter_kernel_mgmt.agent import Agent

from ._agents import ended, forkable

pytestmark = pytest.mark.usefixtures("no_descriptor_stays")


EXITS = {
    "pass": (0, ""),
    "raise SystemExit": (0, ""),
    "raise SystemExit(7)": (7, ""),
    "raise SystemExit('why')": (1, "why\n"),
    "1 / 0": (1, "ZeroDivisionError: division by zero\n"),
    "raise KeyboardInterrupt": (-signal.SIGINT, "KeyboardInterrupt\n"),
    "import atexit; atexit.register(print, 'bye')": (0, "bye\n"),
    "import threading, time; threading.Timer(0.01, print, ['late']).start()": (0, "late\n"),
    "print('unflushed', end='')": (0, "unflushed"),
    "import os; os.abort()": (-signal.SIGABRT, ""),
}


async def test_a_forked_program_ends_as_programs_do() -> None:
    """Code, traceback, exit functions, threads, buffers."""
    for source, (code, text) in EXITS.items():
        async with await Agent.start(isolated=True, code=forkable(source)) as agent:
            info = await ended(await agent.fork("kid:run", ["x"]))
            assert (info.returncode, info.output_tail.endswith(text)) == (code, True), (
                source,
                info.output_tail,
            )
            assert ("Traceback" in info.output_tail) == ("Error" in text or "Interrupt" in text)


async def test_forks_do_not_share_their_chances() -> None:
    """Nor what the agent was called, nor what it wrote but had not flushed."""
    source = "import random, sys; print(random.random(), vars(sys.modules['__main__']).get('Machine'))"
    before = forkable(source) + "\nimport random; random.seed(1); print('once', end=' ')"
    async with await Agent.start(isolated=True, code=before) as agent:
        processes = [await agent.fork("kid:run", ["x"]) for _ in range(2)]
        said = [(await ended(process)).output_tail for process in processes]
    assert said[0] != said[1]
    assert all(text.endswith("None\n") and "once" not in text for text in said)


async def test_a_process_with_threads_is_not_forked() -> None:
    """With the reason, for whoever falls back to a cold start."""
    code = "import threading, time; threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()"
    async with await Agent.start(isolated=True, code=code) as agent:
        assert agent.prepared["threads"] == 2
        with pytest.raises(LaunchError, match="a process with 2 threads cannot be forked safely"):
            await agent.fork("builtins:print", ["x"])


async def test_what_cannot_be_imported_is_told() -> None:
    """The rest is imported all the same."""
    modules = ["nosuchmodule", "this"]
    async with await Agent.start(isolated=True, prepare=modules, code="raise SystemExit(3)") as agent:
        problems = agent.prepared["problems"]
        assert problems == {
            "nosuchmodule": "ModuleNotFoundError: No module named 'nosuchmodule'",
            "code": "SystemExit: 3",
        }
        assert (await ended(await agent.fork("this:d.get", ["x"]))).returncode == 1


async def test_an_import_that_hangs_ends_the_agent(caplog: pytest.LogCaptureFixture) -> None:
    """Also one that lets no Python code run, and though the owner may be dead by then."""
    hang = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [15]); signal.sigwait([15])"
    with pytest.raises(LaunchError, match="the agent has ended"):
        await Agent.start(isolated=True, code=hang, timeout=1)
