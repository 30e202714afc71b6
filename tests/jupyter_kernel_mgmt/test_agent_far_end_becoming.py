"""A child is what it was asked to be, or says why not."""

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("agents are POSIX", allow_module_level=True)

from jupyter_kernel_mgmt import LaunchError
from jupyter_kernel_mgmt.agent import Agent

from ._agents import PYTHON, ended, forkable

pytestmark = pytest.mark.usefixtures("no_descriptor_stays")


TELL = (
    "import json, os, resource, signal, sys\n"
    "print(json.dumps({'env': dict(os.environ), 'cwd': os.getcwd(), 'sid': os.getsid(0),"
    " 'ppid': os.getppid(), 'stdin': sys.stdin.read(), 'fds': os.listdir('/proc/self/fd'),"
    " 'argv': sys.argv,"
    " 'blocked': sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),"
    " 'int': signal.getsignal(signal.SIGINT) is signal.default_int_handler,"
    " 'term': signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,"
    " 'nice': os.nice(0), 'files': resource.getrlimit(resource.RLIMIT_NOFILE)[0],"
    " 'cpu': resource.getrlimit(resource.RLIMIT_CPU),"
    " 'memory': resource.getrlimit(resource.RLIMIT_AS)[0]}))\n"
)


@pytest.mark.parametrize("way", ["spawn", "fork"])
async def test_a_process_is_as_it_was_asked_for(way: str, tmp_path: Path) -> None:
    """Directory, environment, limits, session, signals, input, and no descriptor of others."""
    env = {"PATH": os.environ["PATH"], "KEPT": "1", "DROPPED": "2", "OTHER": "3"}
    options: dict[str, Any] = {
        "cwd": tmp_path,
        "env": {"ADDED": "ä", "DROPPED": None},
        "inherit": ["KEPT", "DROPPED"],
        "limits": {"memory": 2**34, "cpu_time": 1000, "open_files": 100, "nice": 3},
        "mark": "a mark",
    }
    held = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(held, True)
    async with await Agent.start(code=forkable(TELL), env=env) as agent:
        if way == "fork":
            process = await agent.fork("kid:run", ["name", "one", "two"], **options)
        else:
            process = await agent.spawn([sys.executable, "-c", TELL, "one", "two"], **options)
        info = await ended(process)
    os.close(held)
    assert info.returncode == 0, info.output_tail
    facts = json.loads(info.output_tail)
    facts["env"].pop("LC_CTYPE", None)  # Python sets it where there is no locale
    assert facts["env"] == {
        "KEPT": "1",
        "ADDED": "ä",
        "JUPYTER_KERNEL_MARK": "a mark",
        "JPY_PARENT_PID": str(agent.pid),
    }
    assert facts["cwd"] == str(tmp_path)
    assert (facts["sid"], facts["ppid"]) == (process.pid, agent.pid)
    assert facts["argv"] == (["name", "one", "two"] if way == "fork" else ["-c", "one", "two"])
    assert (facts["stdin"], facts["blocked"], facts["int"], facts["term"]) == ("", [], True, True)
    assert len(facts["fds"]) == 4  # the fourth is the listing's own
    assert (facts["nice"], facts["files"], facts["memory"]) == (os.nice(0) + 3, 100, 2**34)
    assert facts["cpu"] == [1000, 1001]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"argv": ["/nowhere/program"]}, "the executable '/nowhere/program' cannot be run: No such file"),
        ({"argv": [os.devnull]}, "cannot be run: Permission denied"),
        ({"argv": ["true"], "cwd": "/nowhere"}, "the working directory /nowhere cannot be entered"),
        ({"argv": ["true"], "cwd": "nowhere"}, "'cwd' must be an absolute path"),
        ({"argv": []}, "'argv' must be a list of strings"),
        ({"argv": ["true"], "limits": {"luck": 1}}, "'limits' must be an object of numbers named memory"),
        ({"argv": ["true"], "files": ["relative"]}, "'files' must be a list of absolute paths"),
    ],
)
async def test_what_cannot_be_started_is_said_in_words(
    agent: Agent, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(LaunchError, match=text):
        await agent.spawn(options.pop("argv"), **options)
    assert (await ended(await agent.spawn([*PYTHON, ""]))).returncode == 0


async def test_a_limit_beyond_the_hard_one_is_refused(agent: Agent) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with pytest.raises(LaunchError, match=f"the limit open_files={hard * 10} cannot be set"):
        await agent.spawn(["true"], limits={"open_files": hard * 10})


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("nosuchmodule:run", "ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("os:nosuch", "AttributeError"),
        ("os:sep", "'os:sep' cannot be called"),
        ("os", "'entry' must be module:function"),
    ],
)
async def test_an_entry_that_is_not_there_is_refused(entry: str, text: str) -> None:
    async with await Agent.start(isolated=True, code="pass") as agent:
        with pytest.raises(LaunchError, match=text):
            await agent.fork(entry, ["x"])
        assert agent.ended is None
