"""The providers that come with the package: what they find, launch and refuse."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    IPykernelProvider,
    KernelFinder,
    KernelSpecProvider,
    KernelTypeInfo,
    LaunchError,
    LaunchRequest,
    NoSuchKernel,
    NoSuchResource,
    Unsupported,
    launch,
)
from jupyter_kernel_mgmt.providers import pyimport
from jupyter_kernel_mgmt.subproc import SubprocessManager
from jupyter_kernel_mgmt.testing import check_provider

SLEEP = [sys.executable, "-c", "import time; time.sleep(1000)"]


def install(directory: Path, name: str, **spec: Any) -> None:
    (directory / name).mkdir(parents=True)
    text = json.dumps({"display_name": name, "language": "none", "argv": SLEEP, **spec})
    (directory / name / "kernel.json").write_text(text)


async def test_kernelspecs_are_found_and_bad_ones_with_what_is_wrong(tmp_path: Path) -> None:
    """With what is known of them before a launch."""
    install(tmp_path, "good", metadata={"debugger": True})
    (tmp_path / "good" / "logo-64x64.png").touch()
    install(tmp_path, "bad", argv="not a list")
    found = dict([item async for item in KernelSpecProvider([tmp_path]).find_kernels()])
    bad, good = found["bad"], found["good"]

    assert (good.display_name, good.language, good.obstacle) == ("good", "none", "")
    assert (good.argv, good.metadata) == (tuple(SLEEP), {"debugger": True})
    assert good.resources == ("logo-64x64.png",)
    assert (bad.display_name, bad.language) == ("bad", "")
    assert str(tmp_path / "bad" / "kernel.json") in bad.obstacle
    assert "argv must be" in bad.obstacle


async def test_the_search_for_kernelspecs_reads_no_file_in_the_loop(tmp_path: Path) -> None:
    """A file system that hangs holds up nobody else, and closing the search ends it."""
    install(tmp_path, "x")
    threads = set()

    class Watching(KernelSpecProvider):
        def _found(self) -> Iterator[tuple[str, KernelTypeInfo]]:
            threads.add(threading.current_thread())
            yield from super()._found()

    search = Watching([tmp_path]).find_kernels()
    async with aclosing(search):
        assert (await anext(search))[0] == "x"
    assert threading.current_thread() not in threads


async def test_what_is_found_depends_on_what_is_watched(tmp_path: Path) -> None:
    """Directories that are missing yet, those of kernelspecs, with and without the file, and each file."""
    install(tmp_path / "a", "x")
    (tmp_path / "a" / "empty").mkdir()
    (tmp_path / "a" / "no kernel").mkdir()
    a, missing = tmp_path / "a", tmp_path / "missing"

    assert set(KernelSpecProvider([a, missing]).watched()) == {
        *(a, missing, a / "x", a / "x" / "kernel.json", a / "empty", a / "empty" / "kernel.json")
    }


async def test_what_tells_the_version_of_a_python_is_watched(tmp_path: Path) -> None:
    """Its environment may be made anew, and one that owns a kernelspec may get its interpreter later."""
    outside, kernels = tmp_path / "outside", tmp_path / "env" / "share" / "jupyter" / "kernels"
    install(kernels, "named", language="python", argv=[str(outside / "bin" / "python")])
    install(kernels, "owned", language="Python", argv=["python3"])
    install(kernels, "bad", argv=[])

    provider = KernelSpecProvider([kernels])
    assert [name async for name, _ in provider.find_kernels()] == ["bad", "named", "owned"]
    watched = provider.watched()

    owned = (tmp_path / "env" / "bin" / name for name in ("python3", "python"))
    assert {outside / "pyvenv.cfg", *owned} <= {*watched}


async def test_resources_are_the_plain_files_beside_kernel_json(tmp_path: Path) -> None:
    """By exactly their names."""
    install(tmp_path, "x")
    (tmp_path / "x" / "logo.svg").write_bytes(b"<svg/>")
    provider = KernelSpecProvider([tmp_path])

    assert await provider.resources("X") == ("logo.svg",)
    assert await provider.resource("x", "logo.svg") == b"<svg/>"
    for filename in ("LOGO.svg", "kernel.json", "../x/logo.svg", str(tmp_path / "x" / "logo.svg"), "", ".."):
        with pytest.raises(NoSuchResource) as caught:
            await provider.resource("x", filename)
        assert (caught.value.kernel_type, caught.value.filename) == ("spec/x", filename)
    with pytest.raises(NoSuchKernel):
        await provider.resources("y")
    with pytest.raises(NoSuchKernel):
        await provider.resource("y", "logo.svg")


async def test_a_kernelspec_is_launched_as_it_says(tmp_path: Path, jupyter_home: Path) -> None:
    """With its environment, resource directory, interrupt mode, and our connection file."""
    out = tmp_path / "out.json"
    code = "import json, os, sys; json.dump([sys.argv[1:], os.environ['A']], open(sys.argv[1], 'w'))"
    install(
        tmp_path / "specs",
        "x",
        argv=[sys.executable, "-c", code, str(out), "{connection_file}", "{resource_dir}", "{colour}"],
        env={"A": "${HOME}/a"},
        interrupt_mode="message",
    )
    request = LaunchRequest(launch_params={"colour": "red"})
    provider = KernelSpecProvider([tmp_path / "specs"], allow_unconstrained_parameters=True)
    launched = await provider.launch("X", request)
    manager = launched.manager
    assert isinstance(manager, SubprocessManager)
    try:
        assert (await manager.wait()).returncode == 0
        arguments, variable = json.loads(out.read_text())
        assert arguments[1:] == [str(launched.connection_file), str(tmp_path / "specs" / "x"), "red"]
        assert variable.endswith("/a")
        assert not variable.startswith("$")
        assert launched.interrupt_mode == "message"
        assert launched.command[-1] == "red"
        assert launched.connection_info is not None
        assert launched.connection_info.kernel_name == "x"
        assert launched.connection_file is not None
        assert launched.connection_file.parent == jupyter_home / "runtime"
    finally:
        await manager.aclose()
    assert not launched.connection_file.exists()


@pytest.mark.parametrize("allowed", [True, False, None])
async def test_unconstrained_parameters_are_allowed_by_an_option(
    allowed: bool | None, tmp_path: Path, jupyter_home: Path
) -> None:
    """Without it they are refused."""
    install(tmp_path, "x", argv=[*SLEEP, "{colour}"])
    provider = KernelSpecProvider([tmp_path])
    provider.load_config({} if allowed is None else {"allow_unconstrained_parameters": allowed})
    launching = provider.launch("x", LaunchRequest(launch_params={"colour": "red"}))
    if allowed:
        launched = await launching
        assert launched.command[-1] == "red"
        assert launched.manager is not None
        await launched.manager.aclose()
    else:
        with pytest.raises(Unsupported, match="'colour' is refused: no schema limits its text"):
            await launching


@pytest.mark.parametrize(
    ("config", "error", "text"),
    [
        ({"allow": True}, ValueError, "^allow: there is no such option; there are allow_unconstrained_par"),
        ({"allow_unconstrained_parameters": 1}, TypeError, "^allow_unconstrained_parameters: must be true"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(
    config: dict[str, Any], error: type[Exception], text: str
) -> None:
    """Nothing is changed then."""
    provider = KernelSpecProvider()
    with pytest.raises(error, match=text):
        provider.load_config(config)
    assert provider.allow_unconstrained_parameters is False


async def test_an_unknown_kernelspec_says_where_was_looked(tmp_path: Path) -> None:
    """With the names there are."""
    install(tmp_path, "good")
    with pytest.raises(NoSuchKernel) as caught:
        await KernelSpecProvider([tmp_path]).launch("godo", LaunchRequest())

    assert caught.value.known == ("good",)
    assert caught.value.searched == (str(tmp_path),)
    assert caught.value.suggestions == ["good"]


async def test_a_bad_kernelspec_is_a_launch_error(tmp_path: Path) -> None:
    """That names the file."""
    install(tmp_path, "bad", argv=[])
    with pytest.raises(LaunchError, match=r"kernel\.json: argv"):
        await KernelSpecProvider([tmp_path]).launch("bad", LaunchRequest())


@pytest.mark.parametrize("provisioner", [{"provisioner_name": "yarn"}, {}, "text", ["x"]])
async def test_a_kernelspec_with_a_foreign_provisioner_is_never_run_as_if_it_had_none(
    tmp_path: Path, provisioner: object
) -> None:
    """Its kernel is meant to run elsewhere."""
    install(tmp_path, "x", metadata={"kernel_provisioner": provisioner})
    with pytest.raises(Unsupported) as caught:
        await KernelSpecProvider([tmp_path]).launch("x", LaunchRequest())

    assert caught.value.option == "kernel_provisioner"
    [(_, info)] = [item async for item in KernelSpecProvider([tmp_path]).find_kernels()]
    assert info.obstacle == caught.value.reason
    assert "jupyter_client alone can run" in info.obstacle


async def test_the_local_provisioner_is_what_we_do_anyway(tmp_path: Path, jupyter_home: Path) -> None:
    """So it is launched."""
    install(tmp_path, "x", metadata={"kernel_provisioner": {"provisioner_name": "local-provisioner"}})
    launched = await KernelSpecProvider([tmp_path]).launch("x", LaunchRequest())
    assert launched.manager is not None
    assert await launched.manager.is_alive()
    await launched.manager.aclose()


async def test_the_ipykernel_beside_us_is_a_kernel_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed, and only there."""
    provider = IPykernelProvider()
    [(name, info)] = provider.find_kernels()
    assert (name, info.language, info.argv[0]) == ("kernel", "python", sys.executable)
    with pytest.raises(NoSuchKernel) as caught:
        await provider.launch("other", LaunchRequest())
    assert caught.value.known == ("kernel",)

    monkeypatch.setattr(pyimport, "find_spec", lambda name: None)
    assert list(provider.find_kernels()) == []
    with pytest.raises(NoSuchKernel, match="pip install ipykernel"):
        await provider.launch("kernel", LaunchRequest())


async def test_our_own_providers_keep_the_promises_of_providers(tmp_path: Path, jupyter_home: Path) -> None:
    """All that the conformance check looks at, with a real kernel; one with an obstacle is passed over."""
    install(tmp_path / "specs", "broken", argv=[])
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    install(tmp_path / "specs", "one", argv=argv)

    await check_provider(KernelSpecProvider([tmp_path / "specs"]), timeout=30)


async def test_a_launch_names_the_spec_without_a_provider(tmp_path: Path) -> None:
    """``"x"`` means ``"spec/x"``."""
    async with KernelFinder([KernelSpecProvider([tmp_path])]) as finder:
        with pytest.raises(NoSuchKernel, match="'x'"):
            await launch("x", finder=finder)
