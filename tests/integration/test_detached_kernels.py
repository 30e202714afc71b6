"""examples/detached_kernels: kernels outlive the process that started them, and others take them up."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_kernel_mgmt import (
    InterruptOutcome,
    KernelFinder,
    LaunchError,
    LaunchRequest,
    Unsupported,
    connect,
)
from jupyter_kernel_mgmt.testing import check_provider

from ._world import World

if TYPE_CHECKING:
    from detached_kernels import DetachedProvider

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no sessions")

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "detached_kernels"
GUARD = 30.0

START = """
import asyncio, os, signal, sys
import jupyter_kernel_mgmt as jkm
from detached_kernels import DetachedProvider

async def main(directory, end):
    provider = DetachedProvider()
    provider.load_config({"directory": directory})
    async with jkm.KernelFinder([provider]) as finder:
        launched = await finder.launch("detached/python", jkm.LaunchRequest(kernel_id="one"))
        async with jkm.connect(launched) as kernel:
            await kernel.execute("x = 42; import os; pid = os.getpid()")
        if end == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        launched.manager.keep()
        await launched.manager.aclose()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the example were installed, here and in processes that we start."""
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLE))


@pytest.fixture
def provider(importable: None, world: World) -> "DetachedProvider":
    """One that keeps its files apart from those of other kernels."""
    from detached_kernels import DetachedProvider

    provider = DetachedProvider()
    provider.load_config({"directory": str(world.other / "detached")})
    return provider


@pytest.mark.parametrize("end", ["ends", "killed"])
async def test_a_kernel_outlives_its_application_and_is_taken_up_by_another(
    end: str,
    provider: "DetachedProvider",
    run_until: Callable[..., Awaitable[Any]],
    descendants: Callable[[], dict[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is found, adopted, used, interrupted and ended there; nothing of it is left then."""
    monkeypatch.setenv(
        "JPY_PARENT_PID", str(os.getpid())
    )  # as in a notebook: with it kernels watch their parent
    arguments = (sys.executable, "-W", "error", "-c", START, str(provider.directory), end)
    process = await asyncio.create_subprocess_exec(*arguments, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0 if end == "ends" else -signal.SIGKILL, b"")

    (running,) = provider.find_running()
    assert (running.kernel_id, running.kernel_type) == ("one", "detached/python")
    files = [provider.directory, *provider.directory.rglob("*")]
    regular = {file.name: file.stat().st_mode & 0o777 for file in files if file.is_file()}
    assert regular == dict.fromkeys(["connection.json", "record.json", "output"], 0o600)
    assert {file.stat().st_mode & 0o777 for file in files if file.is_dir()} == {0o700}

    adopted = await provider.adopt(json.loads(json.dumps(running.record)))
    assert adopted.manager is not None
    async with connect(adopted) as kernel:
        assert (await kernel.execute("x")).text == "42"
        assert (await kernel.execute("'JPY_PARENT_PID' in os.environ")).text == "False"
        pid = int((await kernel.execute("pid")).text or "")
        assert pid in descendants()
        execution = await run_until(kernel, "import time; print('started', flush=True); time.sleep(60)")
        assert await kernel.interrupt() is not InterruptOutcome.DIED
        assert (await execution).status == "interrupted"
    async with asyncio.timeout(GUARD):
        await adopted.manager.terminate()
        assert str(await adopted.manager.wait()) == "exit code unknown (it was started by another process)"
    await adopted.manager.aclose()
    assert pid not in descendants()
    assert list(provider.find_running()) == []
    assert list(provider.directory.iterdir()) == []
    with pytest.raises(LaunchError, match="kernel one has ended"):
        await provider.adopt(running.record)


async def test_it_keeps_all_promises(provider: "DetachedProvider") -> None:
    """Of providers, and of those that have kernels running."""
    await check_provider(provider, timeout=GUARD)
    assert list(provider.directory.iterdir()) == []


async def test_what_a_kernel_leaves_behind_is_removed_by_whoever_looks(provider: "DetachedProvider") -> None:
    """When nobody was there at its end."""
    async with KernelFinder([provider]) as finder:
        launched = await finder.launch("detached/python", LaunchRequest())
    manager: Any = launched.manager
    manager.keep()
    await manager.aclose()
    with pytest.raises(Unsupported, match="let go"):
        await manager.wait()
    manager.process.signal(signal.SIGKILL)
    async with asyncio.timeout(GUARD):
        await manager.process.wait()
    assert len(list(provider.directory.iterdir())) == 1
    assert list(provider.find_running()) == []
    assert list(provider.directory.iterdir()) == []


async def test_a_pid_that_was_given_again_is_left_alone(provider: "DetachedProvider") -> None:
    """It is known by its start: nobody adopts, signals or waits for the other process."""
    from detached_kernels.processes import Identity, start_time

    async with KernelFinder([provider]) as finder:
        launched = await finder.launch("detached/python", LaunchRequest())
    record = launched.to_dict()
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        stranger = Identity(other.pid, "long ago")
        stranger.signal(signal.SIGKILL)
        async with asyncio.timeout(GUARD):
            assert await stranger.wait() is None
        assert other.poll() is None
        record["manager"] |= {"pid": other.pid, "started": "long ago"}
        with pytest.raises(LaunchError, match="has ended"):
            await provider.adopt(record)
        assert Identity(other.pid, start_time(other.pid) or "").is_alive()
    finally:
        other.communicate(b"\n")
        assert launched.manager is not None
        await launched.manager.aclose()
    assert other.returncode == 0


async def test_the_end_is_learned_without_an_event_too(
    provider: "DetachedProvider", monkeypatch: pytest.MonkeyPatch
) -> None:
    """On systems that have none."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    async with KernelFinder([provider]) as finder:
        launched = await finder.launch("detached/python", LaunchRequest())
    assert launched.manager is not None
    await launched.manager.kill()
    async with asyncio.timeout(GUARD):
        assert (await launched.manager.wait()).returncode == -signal.SIGKILL
    await launched.manager.aclose()


async def test_a_process_that_was_not_let_go_ends_with_us(importable: None, directory: Path) -> None:
    """So that there is no kernel without a record."""
    from detached_kernels.processes import start

    made = directory / "made"
    held = start(["/bin/sh", "-c", f"> {made}"], env={}, cwd=None, output=directory / "output")
    held.pipe.close()  # as the system does when we are killed
    async with asyncio.timeout(GUARD):
        assert await held.identity.wait() not in (0, None)
    assert not made.exists()
    assert (directory / "output").read_bytes() == b""


@pytest.mark.parametrize("home", ["..", "../kernel-abc", "/tmp", "kernel-a/../../b", 7, None])
async def test_a_record_leads_to_no_other_directory(provider: "DetachedProvider", home: object) -> None:
    """It would be removed with the kernel."""
    record = {"kernel_id": "a", "kernel_type": "detached/python", "connection_info": {"key": "secret"}}
    record["manager"] = {"pid": os.getpid(), "started": "now", "home": home}
    with pytest.raises(ValueError, match="home must be the name") as raised:
        await provider.adopt(record)
    assert "secret" not in str(raised.value)


async def test_what_cannot_be_done_is_refused_by_name(provider: "DetachedProvider", world: World) -> None:
    """Before anything is started."""
    with pytest.raises(Unsupported, match="transport"):
        await provider.launch("python", LaunchRequest(transport="tcp"))
    with pytest.raises(LaunchError, match=r"cannot be started: .*/no/such/directory"):
        await provider.launch("python", LaunchRequest(cwd=Path("/no/such/directory")))
    assert list(provider.directory.iterdir()) == []
    with pytest.raises(ValueError, match="directory must be an absolute path"):
        provider.load_config({"directory": "here"})
    provider.load_config({"directory": str(world.other / ("long" * 25))})
    ((_, info),) = provider.find_kernels()
    assert "set `directory` to a shorter one" in info.obstacle
    with pytest.raises(LaunchError, match="a shorter one"):
        await provider.launch("python", LaunchRequest())


async def test_the_code_in_its_description_runs(world: World, python_process: Callable[..., Any]) -> None:
    """With the directory that it has by itself."""
    code = re.findall(r"```python\n(.*?)```", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    output = await python_process("".join(code))
    assert output.splitlines() == ["42", "ended by SIGKILL"]
    assert list((world.runtime / "detached").iterdir()) == []
    shutil.rmtree(world.runtime / "detached")


async def test_a_record_that_names_another_kernels_directory_does_it_no_harm(
    provider: "DetachedProvider",
) -> None:
    """It is neither adopted nor found, and what is there stays."""
    async with asyncio.timeout(GUARD):
        one = await provider.launch("python", LaunchRequest(kernel_id="one"))
        other = await provider.launch("python", LaunchRequest(kernel_id="other"))
        try:
            record = json.loads(json.dumps(one.to_dict()))
            home = provider.directory / record["manager"]["home"]
            record["manager"]["home"] = other.manager.home.name
            with pytest.raises(LaunchError, match="another directory"):
                await provider.adopt(record)
            record["manager"]["started"] = "long ago"
            (home / "record.json").write_text(json.dumps(record))
            assert [kernel.kernel_id for kernel in provider.find_running()] == ["other"]
            assert other.manager.home.exists()
        finally:
            await one.manager.aclose()
            await other.manager.aclose()
