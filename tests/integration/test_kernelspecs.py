"""Kernelspecs that we and Jupyter install, use and remove, and kernels of those that are broken."""

import asyncio
import json
import subprocess
import sys
import warnings

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.kernelspec import NoSuchKernel as JupyterHasNone

from jupyter_kernel_mgmt import (
    KernelDied,
    KernelSpecProvider,
    LaunchError,
    NoSuchKernel,
    NoSuchResource,
    Unsupported,
    find_kernels,
    launch,
)
from jupyter_kernel_mgmt.kernelspec import get_kernelspec
from jupyter_kernel_mgmt.kernelspec.install import (
    destination,
    install_kernelspec,
    install_kernelspec_from_values,
    remove_kernelspec,
)

GUARD = 30
DIE = """
import os, sys
os.write(getattr(sys.stderr, "_original_stdstream_copy", 2), b"last words")  # ipykernel redirects 2
os._exit(7)
"""
ARGV = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

JUPYTER_RUNS = """
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name=sys.argv[1])
client.execute_interactive("import os; print(6 * 7, os.environ['COLOUR'])", timeout=30)
client.stop_channels()
manager.shutdown_kernel(now=True)
"""


@pytest.fixture
def source(world):
    """A directory to install, of a kernel with a logo and an environment."""
    directory = world.other / "source"
    directory.mkdir()
    values = {"argv": ARGV, "display_name": "Mine", "language": "python", "env": {"COLOUR": "red"}}
    (directory / "kernel.json").write_text(json.dumps(values))
    (directory / "logo-64x64.png").write_bytes(b"\x89PNG")
    return directory


def jupyter(*arguments):
    """Run ``jupyter kernelspec`` and return its output."""
    command = [sys.executable, "-m", "jupyter_client.kernelspecapp", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# Both ways


def test_both_install_into_the_same_places(world):
    """For a user, into a prefix, and for all."""
    theirs = KernelSpecManager()
    for options in ({"user": True}, {"prefix": str(world.other / "p")}, {"prefix": sys.prefix}, {}):
        assert str(destination(**options) / "x") == theirs._get_destination_dir("x", **options)


async def test_what_we_install_jupyter_lists_and_launches(source, python_process):
    """With its resources; and what we remove it knows no more."""
    spec = install_kernelspec(source, "Mine", user=True)
    listed = json.loads(jupyter("list", "--json"))["kernelspecs"]["mine"]
    assert listed["resource_dir"] == str(spec.directory)
    assert listed["spec"]["argv"] == ARGV
    assert listed["spec"]["display_name"] == "Mine"
    assert "42 red" in await python_process(JUPYTER_RUNS, "mine")

    remove_kernelspec("mine")
    with pytest.raises(JupyterHasNone):
        KernelSpecManager().get_kernel_spec("mine")


async def test_what_we_write_from_values_jupyter_launches(python_process):
    """As it launches others."""
    install_kernelspec_from_values(
        "written",
        ["python", *ARGV[1:]],
        display_name="W",
        language="python",
        env={"COLOUR": "blue"},
        metadata={"debugger": True},
        user=True,
    )
    theirs = KernelSpecManager().get_kernel_spec("written")
    assert (theirs.display_name, theirs.interrupt_mode, theirs.metadata) == (
        *("W", "signal"),
        {"debugger": True},
    )
    assert "42 blue" in await python_process(JUPYTER_RUNS, "written")


async def test_what_jupyter_installs_we_list_and_launch(source):
    """With its resources; and what it removes we know no more."""
    jupyter("install", str(source), "--user", "--name", "Theirs")
    found = {kernel_type: info async for kernel_type, info in find_kernels()}
    assert found["spec/theirs"].display_name == "Mine"
    assert found["spec/theirs"].resources == ("logo-64x64.png",)
    async with launch("theirs") as kernel:
        assert (await kernel.execute("import os; os.environ['COLOUR']")).text == "'red'"

    jupyter("remove", "-f", "theirs")
    with pytest.raises(KeyError):
        get_kernelspec("theirs")


def test_each_removes_what_the_other_installed(source):
    """And replaces it."""
    jupyter("install", str(source), "--user")
    install_kernelspec(source, user=True, replace=True)
    jupyter("install", str(source), "--user", "--replace")
    remove_kernelspec("source")
    install_kernelspec(source, user=True)
    jupyter("remove", "-f", "source")
    assert list(destination(user=True).iterdir()) == []


def test_jupyter_takes_an_unfinished_installation_for_nothing(source, monkeypatch):
    """It neither lists it nor warns of its name."""
    spec = install_kernelspec(source, user=True)
    aside = spec.directory.parent / ".unfinished~x"
    aside.mkdir()
    spec.directory.rename(aside / "new")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "source" not in KernelSpecManager().find_kernel_specs()
        assert not [name for name in KernelSpecManager().find_kernel_specs() if "~" in name]


# The provider


async def test_a_kernel_of_an_installed_kernelspec_does_all_that_a_kernel_does(source, run_until):
    """It executes, is interrupted, restarts, and its death comes with the reason."""
    install_kernelspec(source, "mine", user=True)
    async with asyncio.timeout(2 * GUARD), launch("spec/MINE") as kernel:
        assert (await kernel.execute("x = 6 * 7; x")).text == "42"
        execution = await run_until(kernel, "print('started'); import time; time.sleep(600)")
        await kernel.interrupt()
        assert (await execution).status == "interrupted"
        await kernel.restart()
        assert (await kernel.execute("'x' in dir()")).text == "False"
        with pytest.raises(KernelDied) as caught:
            await kernel.execute(DIE)
        assert caught.value.exit_info.returncode == 7
        assert "last words" in caught.value.exit_info.output_tail


@pytest.mark.parametrize("turns", [0, 1, 3, 10, 100])
async def test_a_launch_that_is_cancelled_leaves_nothing(source, turns):
    """Whether the kernelspec is just being read or the kernel starts."""
    install_kernelspec(source, "mine", user=True)

    async def use():
        async with launch("mine"):
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("{", LaunchError, "is not JSON"),
        ('{"argv": []}', LaunchError, "argv must be"),
        ('{"argv": ["/no/such/program", "{connection_file}"]}', LaunchError, "/no/such/program"),
        (json.dumps({"argv": [sys.executable, "-m", "no_such_module"]}), LaunchError, "No module named"),
        (json.dumps({"argv": [sys.executable, "-c", "import sys; sys.exit(3)"]}), LaunchError, "exit code 3"),
        (
            json.dumps({"argv": ["x"], "metadata": {"kernel_provisioner": {"provisioner_name": "yarn"}}}),
            Unsupported,
            "'yarn'",
        ),
    ],
    ids=["text", "field", "program", "module", "ends", "provisioner"],
)
async def test_a_broken_kernelspec_says_what_is_broken(spec, text, error, says):
    """In bounded time, and nothing is left."""
    spec("broken", text=text)
    async with asyncio.timeout(GUARD):
        with pytest.raises(error, match=says):
            await launch("broken")


@pytest.mark.skipif(sys.platform == "win32", reason="of links")
async def test_a_link_to_nowhere_is_no_kernelspec(spec, world):
    """Nor is a directory whose file is gone."""
    file = spec("gone", ["x"])
    file.unlink()
    (file.parent.parent / "link").symlink_to(world.other / "nowhere")
    for name in ("gone", "link"):
        async with asyncio.timeout(GUARD):
            with pytest.raises(NoSuchKernel):
                await launch(name)


async def test_resources_of_many_kernelspecs_are_found_and_told(spec, world):
    """Two hundred of them are found at once, each with its own."""
    for number in range(200):
        (spec(f"k{number}", ["x"]).parent / f"logo-{number}.svg").write_text(str(number))
    provider = KernelSpecProvider([world.other / "kernels"])
    found = dict([item async for item in provider.find_kernels()])

    assert {name: info.resources for name, info in found.items()} == {
        f"k{number}": (f"logo-{number}.svg",) for number in range(200)
    }
    assert await provider.resource("k150", "logo-150.svg") == b"150"
    with pytest.raises(NoSuchResource):
        await provider.resource("k150", "logo-151.svg")
