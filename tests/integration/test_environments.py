"""Kernels inside of real environments, each made by its own tool: found, activated, launched, ended."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from jupyter_kernel_mgmt import (
    InterruptOutcome,
    KernelDied,
    KernelFinder,
    LaunchError,
    LaunchRequest,
    launch,
)
from jupyter_kernel_mgmt.notebook import execute_notebook
from jupyter_kernel_mgmt.subproc import SubprocessManager
from jupyter_kernel_mgmt.subproc.forked import ForkedManager
from jupyter_kernel_mgmt.testing import check_provider

from ._made_environments import MAKERS, Made, found, make, provider_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layouts made here are POSIX's")

FACTS = {
    "python": """
import os, sys
print(os.getpid(), sys.prefix, sys.executable, os.environ["PATH"].split(os.pathsep)[0], sep="\\n")
for name in %r.split(): print(name, os.environ.get(name), sep="=")
""",
    "R": """
cat(Sys.getpid(), "", "", strsplit(Sys.getenv("PATH"), ":")[[1]][1], sep="\\n")
for (name in strsplit(%r, " ")[[1]]) cat("\\n", name, "=", Sys.getenv(name), sep="")
""",
}
ENDLESS = {
    "python": "print('started', flush=True)\nimport time\nwhile True: time.sleep(0.05)",
    "R": "cat('started\\n'); flush.console(); while (TRUE) Sys.sleep(0.05)",
}
SET = {"python": "x = 'kept'", "R": "x <- 'kept'"}
GET = {"python": "print(x)", "R": "cat(x)"}
DIE = {
    "python": ("import os; os._exit(3)", 3),
    "R": ("tools::pskill(Sys.getpid(), tools::SIGKILL)", -signal.SIGKILL),
}


@pytest.fixture(scope="module")
def made_before(short_directory):
    """Each environment is made once for the tests that change nothing about it."""
    return {}


@pytest.fixture(params=MAKERS)
def made(request, made_before, short_directory) -> Made:
    """Each kind of environment in turn."""
    if request.param not in made_before:
        made_before[request.param] = make(request.param, Path(tempfile.mkdtemp(dir=short_directory)))
    return made_before[request.param]


@pytest.fixture
async def finder(made):
    async with KernelFinder([made.provider()]) as finder:
        yield finder


async def test_it_is_found_and_activated(made, finder, monkeypatch):
    """By the tool's name for it; the kernel is the process that we started, with nothing around it."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("TOOL_UNWANTED", "1")
    [(name, info)] = [item async for item in finder.find_kernels()]
    assert name == f"environments/{made.kernel_type}"
    assert (info.language, info.prefix, info.obstacle) == (made.language, str(made.prefix), "")
    assert info.language_version
    assert info.argv[0].startswith(str(made.prefix / "bin"))

    async with launch(name, finder=finder) as kernel:
        code = FACTS[made.language] % " ".join(made.variables)
        pid, prefix, executable, path, *variables = (await kernel.execute(code)).stdout.split("\n")
        assert isinstance(kernel.manager, SubprocessManager)
        assert int(pid) == kernel.manager.pid
        assert path == str(made.prefix / "bin")
        if made.language == "python":
            assert prefix == str(made.prefix)
            assert executable == info.argv[0]
        assert dict(line.split("=", 1) for line in variables if line) == made.variables


async def test_it_is_interrupted_restarted_and_dies_with_its_reason(made, finder, run_until, world):
    """Signals arrive, since no wrapper is between."""
    async with launch(f"environments/{made.kernel_type}", finder=finder) as kernel:
        execution = await run_until(kernel, ENDLESS[made.language])
        assert await kernel.interrupt() is InterruptOutcome.IDLE
        await execution

        await kernel.execute(SET[made.language])
        await kernel.restart()
        assert (await kernel.execute(GET[made.language])).status == "error"

        code, returncode = DIE[made.language]
        with pytest.raises(KernelDied) as caught:
            await kernel.execute(code)
        assert caught.value.exit_info is not None
        assert caught.value.exit_info.returncode == returncode

        await kernel.restart()
        await kernel.manager.signal(signal.SIGKILL)
        info = await kernel.wait()
        assert info.returncode == -signal.SIGKILL
    for litter in world.temporary.glob("Rtmp*"):  # R removes its own only when it is asked to end
        shutil.rmtree(litter)


@pytest.mark.parametrize("made", ["venv", "conda"], indirect=True)
async def test_it_can_be_forked(made, finder):
    """From a process of the environment's own interpreter, with what activating it changes."""
    async with launch(f"environments/{made.kernel_type}", finder=finder, forkserver=True) as kernel:
        assert isinstance(kernel.manager, ForkedManager)
        code = FACTS["python"] % " ".join(made.variables)
        _, prefix, _, path, *variables = (await kernel.execute(code)).stdout.split("\n")
        assert (prefix, path) == (str(made.prefix), str(made.prefix / "bin"))
        assert dict(line.split("=", 1) for line in variables if line) == made.variables


@pytest.mark.parametrize("made", ["conda"], indirect=True)
async def test_scripts_run_once_for_many_kernels(made, finder):
    """And again when one of them has changed."""
    runs = made.prefix / "runs"
    name = f"environments/{made.kernel_type}"
    before = len(runs.read_text().split()) if runs.exists() else 0

    async with launch(name, finder=finder), launch(name, finder=finder) as kernel:
        await kernel.restart()
        assert len(runs.read_text().split()) == before + 1
    os.utime(made.prefix / "etc" / "conda" / "activate.d" / "tool.sh")
    async with launch(name, finder=finder):
        assert len(runs.read_text().split()) == before + 2


@pytest.mark.parametrize("made", ["conda"], indirect=True)
async def test_the_provider_keeps_the_promises_of_providers(made):
    """Cancelled launches included, with a script that has to run for each of them."""
    provider = made.provider()
    try:
        await check_provider(provider, timeout=30)
    finally:
        await provider.aclose()


async def test_a_script_that_hangs_is_given_up(directory):
    """In the time that was set; nothing of it is left."""
    made = make("conda", directory)
    (made.prefix / "etc" / "conda" / "activate.d" / "z.sh").write_text("sleep 600")
    provider = made.provider(shell_timeout=0.5)

    with pytest.raises(
        LaunchError, match=r"activation scripts .*tool\.sh, .*z\.sh did not end within 0\.5 s"
    ):
        await provider.launch(made.kernel_type, LaunchRequest())


async def test_a_launch_that_is_cancelled_while_a_script_runs_leaves_nothing(directory, eventually):
    """Of which the fixtures of all tests here convince themselves."""
    made = make("conda", directory)
    started = directory / "started"
    script = made.prefix / "etc" / "conda" / "activate.d" / "z.sh"
    script.write_text(f"setsid sleep 600 & touch {started}; sleep 600")
    launching = asyncio.create_task(made.provider().launch(made.kernel_type, LaunchRequest()))
    await eventually(started.exists)

    launching.cancel()

    with pytest.raises(asyncio.CancelledError):
        await launching


@pytest.mark.parametrize("kind", ["venv", "virtualenv", "uv", "conda"])
async def test_one_without_ipykernel_says_how_to_get_it(directory, kind):
    """In its tool's words; once it is there, the same type can be launched."""
    made = make(kind, directory, ipykernel=False)
    provider = made.provider()
    python = made.prefix / "bin" / "python"
    command = {
        "uv": f"uv pip install --python {python} ipykernel",
        "conda": f"conda install -p {made.prefix} ipykernel",
    }.get(kind, "-m pip install ipykernel")

    [(name, info)] = (await found(provider)).items()
    assert name == made.kernel_type
    assert info.obstacle.endswith(command)
    with pytest.raises(LaunchError) as caught:
        await provider.launch(name, LaunchRequest())
    assert command in str(caught.value)

    times = _times(provider)
    [packages] = made.prefix.glob("lib/python*/site-packages")
    (packages / "ipykernel-7.0.0.dist-info").mkdir()
    assert _times(provider) != times
    [(name, info)] = (await found(provider)).items()
    assert info.obstacle == ""


async def test_a_notebook_runs_in_its_projects_own_environment(directory):
    """Wherever the program runs that executes it, and though no other notebook was in that project."""
    made = make("venv", directory)
    assert made.prefix.parent not in Path.cwd().parents
    notebook = v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[v4.new_code_cell("import sys; print(sys.prefix)")],
    )
    path = made.prefix.parent / "notebooks" / "test.ipynb"
    path.parent.mkdir()
    nbformat.write(notebook, path)

    done = await execute_notebook(path)
    assert done.cells[0].outputs[0].text.strip() == str(made.prefix)


async def test_a_deleted_environment_is_gone(directory):
    """What is watched has changed by that, and the next search does not find it."""
    made = make("venv", directory)
    made_beside = make("uv", directory)
    provider = provider_of(directory)
    assert {*await found(provider)} == {made.kernel_type, made_beside.kernel_type}
    times = _times(provider)

    shutil.rmtree(made.prefix)

    assert _times(provider) != times
    assert {*await found(provider)} == {made_beside.kernel_type}


async def test_one_whose_python_is_gone_is_shown_and_not_launched(directory):
    """As after an upgrade of the system's: by no other Python, and at once."""
    made = make("venv", directory)
    provider = provider_of(directory)
    for path in (made.prefix / "bin").iterdir():
        if path.is_symlink():
            path.unlink()
            path.symlink_to("/usr/local/bin/python3.0")

    [(name, info)] = (await found(provider)).items()
    assert "leads to /usr/local/bin/python3.0, which is not there" in info.obstacle
    with pytest.raises(LaunchError, match="which is not there"):
        await provider.launch(name, LaunchRequest())


async def test_one_whose_python_is_broken_fails_with_what_it_said(directory):
    """As soon as it has ended."""
    made = make("venv", directory)
    python = made.prefix / "bin" / "python"
    python.unlink()
    python.write_text("#!/bin/sh\necho cannot load libpython >&2\nexit 127\n")
    python.chmod(0o755)
    async with KernelFinder([provider_of(directory)]) as finder:
        with pytest.raises((LaunchError, KernelDied)) as caught:
            await launch(f"environments/{made.kernel_type}", finder=finder)

    assert "cannot load libpython" in str(caught.value)


def _times(provider):
    paths = provider.watched()
    assert paths is not None
    return {path: path.stat().st_mtime_ns if path.exists() else 0 for path in paths}
