"""What is wrong with names, files, programs and providers is said clearly, and nothing stays behind."""

import asyncio
import sys
import textwrap
import threading

import pytest

from jupyter_kernel_mgmt import (
    KernelFinder,
    KernelProviderBase,
    KernelSpecProvider,
    KernelTypeInfo,
    LaunchError,
    NoSuchKernel,
    NoSuchProvider,
    StartupTimeout,
    Unsupported,
    find_kernels,
    launch,
)

GOOD = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


# Names


@pytest.mark.parametrize("name", ["spec/pyhton3", "pyhton3", "spec/Python33"])
async def test_an_unknown_kernel_type_suggests_near_names_and_says_where_it_looked(name):
    """It is a KeyError too, as for any lookup by name."""
    with pytest.raises(NoSuchKernel) as caught:
        await launch(name)
    assert isinstance(caught.value, KeyError)
    assert "spec/python3" in caught.value.suggestions
    assert "did you mean 'spec/python3'" in str(caught.value)
    assert str(KernelSpecProvider().directories or sys.prefix) in str(caught.value)


async def test_an_unknown_provider_is_named_with_those_there_are():
    """Nothing is searched for then."""
    with pytest.raises(NoSuchProvider, match=r"'spce'.*pyimport, spec"):
        await launch("spce/python3")


async def test_an_option_that_the_kernel_has_no_place_for_is_refused_by_name():
    """Nothing is ignored in silence, and nothing is started."""
    with pytest.raises(Unsupported, match="colour"):
        await launch(launch_params={"colour": "red"})
    with pytest.raises(Unsupported, match="carrier"):
        await launch(transport="carrier pigeon")


# Files and programs


async def test_a_missing_executable_is_a_clear_error(spec):
    """It is named, and so is the command."""
    spec("gone", ["/no/such/program", "{connection_file}"])
    with pytest.raises(LaunchError, match="'/no/such/program' was not found") as caught:
        await launch("gone")
    assert caught.value.command[0] == "/no/such/program"


async def test_a_file_that_is_no_program_is_a_clear_error(spec, world):
    """Not executable, or executable and nothing that the system could run."""
    text = world.other / "text"
    text.write_text("not a program")
    spec("text", [str(text)])
    with pytest.raises(LaunchError, match="may not be run"):
        await launch("text")
    text.chmod(0o755)
    with pytest.raises(LaunchError, match="could not be run"):
        await launch("text")


async def test_a_missing_working_directory_is_a_clear_error(world):
    """Not mistaken for a missing executable."""
    with pytest.raises(LaunchError, match=r"working directory .*nowhere"):
        await launch(cwd=world.other / "nowhere")


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
async def test_an_unwritable_runtime_directory_is_a_clear_error(transport, world, monkeypatch):
    """It names the file and what to do; below a regular file nobody can write, whatever their rights."""
    obstacle = world.other / "file"
    obstacle.touch()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(obstacle / "run"))
    with pytest.raises(LaunchError, match=r"cannot be written.*JUPYTER_RUNTIME_DIR"):
        await launch(transport=transport)


async def test_a_directory_for_sockets_that_is_gone_is_a_clear_error_or_no_problem(world, monkeypatch):
    """Another one is used where there is one."""
    monkeypatch.setattr("tempfile.tempdir", str(world.other / "nowhere"))
    async with launch() as kernel:
        assert (await kernel.execute("6 * 7")).text == "42"


async def test_a_kernel_json_that_cannot_be_used_is_told_of_and_hides_no_other(spec):
    """Each is found with what is wrong with it; launching one says so too."""
    bad = {
        "broken": "{not json",
        "list": "[]",
        "empty": "{}",
        "text": '{"argv": "python"}',
        "binary": "\x00\x01",
        "mode": '{"argv": ["x"], "interrupt_mode": "shout"}',
    }
    files = {name: spec(name, text=text) for name, text in bad.items()}
    spec("good", GOOD)
    found = {kernel_type: info.obstacle async for kernel_type, info in find_kernels()}
    assert {found[name] for name in ("spec/good", "spec/python3", "pyimport/kernel")} == {""}
    for name, file in files.items():
        assert str(file) in found[f"spec/{name}"]
        with pytest.raises(LaunchError, match=str(file)):
            await launch(name)
    async with launch("good") as kernel:
        assert (await kernel.execute("6 * 7")).text == "42"


# Kernels that do not start


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
async def test_a_kernel_that_dies_while_starting_is_told_with_code_command_and_output(spec, transport):
    """At once, not after the time-out."""
    program = "import sys; print('about to fail'); sys.exit('there is no such module')"
    spec("dying", [sys.executable, "-c", program, "{connection_file}"])
    with pytest.raises(LaunchError) as caught:
        await launch("dying", transport=transport)
    assert not isinstance(caught.value, StartupTimeout)
    assert caught.value.exit_info.returncode == 1
    assert caught.value.command[:2] == (sys.executable, "-c")
    for part in ("exit code 1", "about to fail", "there is no such module", program):
        assert part in str(caught.value)


async def test_a_kernel_that_ends_well_before_it_was_ready_is_an_error_too(spec):
    """The exit code 0 is no answer."""
    spec("brief", [sys.executable, "-c", "pass", "{connection_file}"])
    with pytest.raises(LaunchError, match="exit code 0"):
        await launch("brief")


async def test_a_kernel_that_is_killed_while_starting_is_told_by_its_signal(spec):
    """Such as by the system's want of memory."""
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    spec("killed", [sys.executable, "-c", program, "{connection_file}"])
    with pytest.raises(LaunchError, match="SIGKILL") as caught:
        await launch("killed")
    assert caught.value.exit_info.returncode == -9


async def test_a_kernel_that_never_answers_is_a_timeout_that_says_so(spec):
    """With what it wrote; the process is ended."""
    program = "import time; print('still loading', flush=True); time.sleep(600)"
    spec("silent", [sys.executable, "-c", program, "{connection_file}"])
    with pytest.raises(StartupTimeout, match="did not answer at all") as caught:
        await launch("silent", startup_timeout=1)
    assert isinstance(caught.value, TimeoutError)
    assert "still loading" in str(caught.value)
    assert caught.value.command is not None


# Providers


@pytest.fixture
def provider(world, monkeypatch):
    """Install a distribution with one provider: a module, and the entry point that names it."""
    monkeypatch.syspath_prepend(str(world.other))

    def install(name, source):
        (world.other / f"{name}_module.py").write_text(textwrap.dedent(source))
        info = world.other / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[jupyter_kernel_mgmt.kernel_type_providers]\n{name} = {name}_module:Provider\n"
        )

    yield install
    for name in [name for name in sys.modules if name.endswith("_module")]:
        del sys.modules[name]


BROKEN = {
    "raises_on_import": "raise RuntimeError('the cat sat on it')",
    "exits_on_import": "import sys; sys.exit('the cat sat on it')",
    "is_absent": "the_cat_sat_on_it = True",
    "is_no_provider": "Provider = lambda: 'the cat sat on it'",
    "raises_when_made": """
        def Provider():
            raise RuntimeError('the cat sat on it')
    """,
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_provider_that_cannot_be_loaded_is_reported_and_hides_no_other(name, provider):
    """find goes on, a launch by its name raises, and launches by others' names work."""
    provider(name, BROKEN[name])
    async with KernelFinder.from_entrypoints() as finder:
        search = finder.find_kernels()
        found = {kernel_type async for kernel_type, _ in search}
        assert {"pyimport/kernel", "spec/python3"} <= found
        assert [problem.provider for problem in search.problems] == [name]
        with pytest.raises(NoSuchProvider, match=name):
            await launch(f"{name}/anything", finder=finder)
        async with launch(finder=finder) as kernel:
            assert (await kernel.execute("6 * 7")).text == "42"


async def test_a_provider_that_hangs_on_import_is_reported_and_hides_no_other(provider, monkeypatch):
    """After the time it has for searching; launching with others need not wait for it."""
    gate = threading.Event()
    monkeypatch.setattr(threading, "gate_of_this_test", gate, raising=False)
    provider("hangs", "import threading; threading.gate_of_this_test.wait()")
    try:
        async with KernelFinder.from_entrypoints(search_timeout=0.5) as finder:
            search = finder.find_kernels()
            async with launch(finder=finder) as kernel:
                assert (await kernel.execute("6 * 7")).text == "42"
            found = {kernel_type async for kernel_type, _ in search}
            assert {"pyimport/kernel", "spec/python3"} <= found
            assert [problem.provider for problem in search.problems] == ["hangs"]
            assert "0.5 s" in str(search.problems[0])
    finally:
        gate.set()


async def test_launching_with_a_provider_that_hangs_on_import_times_out(provider, monkeypatch):
    """In the time that the launch has."""
    gate = threading.Event()
    monkeypatch.setattr(threading, "gate_of_this_test", gate, raising=False)
    provider("hangs", "import threading; threading.gate_of_this_test.wait()")
    try:
        with pytest.raises(StartupTimeout):
            await launch("hangs/anything", startup_timeout=0.5)
    finally:
        gate.set()


class Hanging(KernelProviderBase):
    id = "hanging"

    async def find_kernels(self):
        yield "first", KernelTypeInfo(display_name="First", language="none")
        await asyncio.Event().wait()

    async def launch(self, name, request):
        await asyncio.Event().wait()


class Failing(KernelProviderBase):
    id = "failing"

    async def find_kernels(self):
        yield "first", KernelTypeInfo(display_name="First", language="none")
        raise RuntimeError("the cat sat on it")

    async def launch(self, name, request):
        raise RuntimeError("the cat sat on it")


async def test_providers_that_hang_or_fail_in_the_middle_of_finding_lose_nothing():
    """What they had found counts, and so does what others find; each is reported."""
    async with KernelFinder([Hanging(), Failing(), KernelSpecProvider()], search_timeout=0.5) as finder:
        search = finder.find_kernels()
        found = {kernel_type async for kernel_type, _ in search}
    assert {"hanging/first", "failing/first", "spec/python3"} <= found
    assert {problem.provider for problem in search.problems} == {"hanging", "failing"}


async def test_a_provider_that_hangs_or_fails_in_launching_is_an_error_and_no_hang():
    """A time-out of ours, or its own error."""
    async with KernelFinder([Hanging(), Failing()]) as finder:
        with pytest.raises(StartupTimeout):
            await launch("hanging/first", finder=finder, startup_timeout=0.2)
        with pytest.raises(RuntimeError, match="the cat"):
            await launch("failing/first", finder=finder)
