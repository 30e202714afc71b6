"""The provider of environments: what it finds, watches, refuses and gives."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import KernelTypeInfo, LaunchError, LaunchRequest, NoSuchKernel, Unsupported
from jupyter_kernel_mgmt.exceptions import NoSuchResource
from jupyter_kernel_mgmt.providers.environments import EnvironmentsProvider
from jupyter_kernel_mgmt.providers.environments import provider as module

from ._environments import conda, kernelspec, places, program, venv, write

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def provider(home: Path, *, cwd: Path | None = None, **config: Any) -> EnvironmentsProvider:
    """One whose user has this home, and nothing else."""
    made = EnvironmentsProvider(lambda **options: replace(places(home, cwd=cwd), **options))
    made.load_config(config)
    return made


async def found(one: EnvironmentsProvider) -> dict[str, KernelTypeInfo]:
    return {name: info async for name, info in one.find_kernels()}


async def test_it_finds_what_is_inside_of_environments(tmp_path: Path) -> None:
    """With version, prefix, resources, and what stands in the way."""
    ready = venv(tmp_path / "p" / ".venv", ipykernel="7.1.0")
    kernelspec(ready, "python3", IPYKERNEL, language="python")
    conda(tmp_path / ".conda" / "envs" / "work", "python-3.12.1-h1_0")
    kernels = await found(provider(tmp_path, cwd=tmp_path / "p"))

    assert list(kernels) == ["p--python3", "work--python3"]
    p, work = kernels.values()
    assert (p.display_name, p.language, p.language_version) == ("Python 3.11 (p, .venv)", "python", "3.11.4")
    assert (p.prefix, p.resources, p.obstacle) == (str(ready), (), "")
    assert work.display_name == "Python 3.12 (work, conda)"
    assert "conda install -p" in work.obstacle


async def test_options_add_places_and_leave_kinds_out(tmp_path: Path) -> None:
    """As an application has them set."""
    venv(tmp_path / "roots" / "r")
    venv(tmp_path / "proj" / ".venv")
    venv(tmp_path / ".venvs" / "u", tool="uv = 1")
    options = {"roots": [tmp_path / "roots"], "projects": [str(tmp_path / "proj")]}

    assert {*await found(provider(tmp_path, **options))} == {"proj--python3", "r--python3", "u--python3"}
    assert {*await found(provider(tmp_path, kinds=["uv"], **options))} == {"u--python3"}


async def test_projects_of_notebooks_are_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the last ones; what was known before is looked at anew when there is another."""
    monkeypatch.setattr(module, "NEAR", 2)
    for name in "abc":
        venv(tmp_path / name / ".venv")
    one = provider(tmp_path, cwd=tmp_path / "cwd")
    for name, expected in [("a", {"a"}), ("b", {"a", "b"}), ("c", {"b", "c"})]:
        await found(one)
        assert not one.look_near(tmp_path / "cwd")
        assert one.watched() is not None
        assert one.look_near(tmp_path / name)
        assert not one.look_near(tmp_path / name)
        assert one.watched() is None
        assert {*await found(one)} == {f"{name}--python3" for name in expected}


async def test_the_project_that_was_asked_for_last_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it was asked for before as well; asking again does not make a new search."""
    monkeypatch.setattr(module, "NEAR", 2)
    for name in "abc":
        venv(tmp_path / name / ".venv")
    one = provider(tmp_path)
    assert one.look_near(tmp_path / "b")
    assert one.look_near(tmp_path / "a")
    await found(one)
    assert not one.look_near(tmp_path / "b")
    assert one.watched() is not None
    assert one.look_near(tmp_path / "c")
    assert {*await found(one)} == {"b--python3", "c--python3"}


async def test_a_search_that_began_earlier_does_not_say_what_is_watched(tmp_path: Path) -> None:
    """It may not have seen all that a later one did."""
    venv(tmp_path / ".venvs" / "a")
    one = provider(tmp_path)
    earlier = one._find()
    next(earlier)
    later = venv(tmp_path / ".venvs" / "b")
    assert len(await found(one)) == 2
    assert [*earlier] == []
    watched = one.watched()
    assert watched is not None
    assert later in watched


async def test_nothing_is_run_to_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many environments there are."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    for number in range(50):
        venv(tmp_path / ".virtualenvs" / f"v{number}", ipykernel="7.1.0" if number % 2 else "")

    assert len(await found(provider(tmp_path))) == 50


Change = Callable[[Path], object]


def delete(home: Path) -> None:
    shutil.rmtree(home / ".venvs" / "a")


def install(home: Path) -> None:
    (home / ".venvs" / "a" / "lib" / "python3.11" / "site-packages" / "ipykernel-7.0.dist-info").mkdir()


def add_spec(home: Path) -> None:
    kernelspec(home / ".venvs" / "a", "x", ["x"])


def add(home: Path) -> None:
    venv(home / ".venvs" / "b")


def add_first_of_project(home: Path) -> None:
    venv(home / "p" / ".venv")


def note(home: Path) -> None:
    write(home / ".conda" / "environments.txt", str(conda(home / "new", "python-3.12.1-h1_0")))


@pytest.mark.parametrize("change", [delete, install, add_spec, add, add_first_of_project, note])
async def test_what_changes_is_seen_by_the_times_of_what_is_watched(tmp_path: Path, change: Change) -> None:
    """Each change that matters touches one of these files and directories."""
    venv(tmp_path / ".venvs" / "a")
    one = provider(tmp_path, cwd=tmp_path / "p")
    assert one.watched() is None
    before = await found(one)
    times = _times(one)
    assert _times(one) == times

    change(tmp_path)

    assert _times(one) != times
    assert await found(one) != before


def _times(one: EnvironmentsProvider) -> dict[Path, int]:
    paths = one.watched()
    assert paths is not None
    return {path: path.stat().st_mtime_ns if path.exists() else 0 for path in paths}


async def test_a_search_that_would_begin_elsewhere_is_made_anew(tmp_path: Path) -> None:
    """After the process has changed its directory, for example."""
    cwds = [tmp_path / "a"]
    one = EnvironmentsProvider(lambda **options: replace(places(tmp_path, cwd=cwds[-1]), **options))
    await found(one)
    assert one.watched() is not None

    cwds.append(tmp_path / "b")

    assert one.watched() is None


async def test_one_with_an_obstacle_is_refused_at_once(tmp_path: Path) -> None:
    """With the text that was shown."""
    venv(tmp_path / ".venvs" / "a")
    one = provider(tmp_path)
    [(name, info)] = (await found(one)).items()

    with pytest.raises(LaunchError) as caught:
        await one.launch(name, LaunchRequest())

    assert str(caught.value) == f"Python 3.11 (a, venv): {info.obstacle}"
    assert "-m pip install ipykernel" in info.obstacle


async def test_a_bad_kernelspec_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    """It is found with the same text."""
    spec = kernelspec(venv(tmp_path / ".venvs" / "a", ipykernel="7.1.0"), "odd", [])
    one = provider(tmp_path)
    info = (await found(one))["a--odd"]

    assert (info.display_name, info.prefix) == ("odd (a, venv)", str(tmp_path / ".venvs" / "a"))
    assert info.obstacle.startswith(f"{spec / 'kernel.json'}: ")
    with pytest.raises(LaunchError) as caught:
        await one.launch("a--odd", LaunchRequest())
    assert str(caught.value) == f"odd (a, venv): {info.obstacle}"


@pytest.mark.parametrize("allowed", [False, True])
async def test_unconstrained_parameters_are_the_applications_choice(tmp_path: Path, allowed: bool) -> None:
    """Where they are allowed the launch gets as far as a program that is not there any more."""
    argv = [str(program(tmp_path / "gone")), "{text}"]
    kernelspec(venv(tmp_path / ".venvs" / "a"), "x", argv, metadata={"parameters": {"text": {}}})
    one = provider(tmp_path, allow_unconstrained_parameters=allowed)
    request = LaunchRequest(launch_params={"text": "x"}, cwd=tmp_path / "none")

    with pytest.raises(LaunchError if allowed else Unsupported) as caught:
        await one.launch("a--x", request)

    assert ("the working directory" if allowed else "'text' is refused") in str(caught.value)


@pytest.mark.parametrize("name", ["a--python4", "b--python3", "a", "--", "", "../a--python3"])
async def test_an_unknown_name_is_refused_with_those_there_are(tmp_path: Path, name: str) -> None:
    """And where was looked."""
    venv(tmp_path / ".venvs" / "a")

    with pytest.raises(NoSuchKernel) as caught:
        await provider(tmp_path).launch(name, LaunchRequest())

    assert caught.value.known == ("a--python3",)
    assert caught.value.searched == (str(tmp_path / ".venvs" / "a"),)


async def test_a_name_that_has_become_another_ones_too_is_refused(tmp_path: Path) -> None:
    """Both are known by their long names then, of which each was valid before."""
    venv(tmp_path / ".venvs" / "a")
    one = provider(tmp_path)
    assert {*await found(one)} == {"a--python3"}
    venv(tmp_path / ".virtualenvs" / "a")

    both = await found(one)
    assert len(both) == 2
    assert "a--python3" not in both
    with pytest.raises(NoSuchKernel):
        await one.launch("a--python3", LaunchRequest())
    shutil.rmtree(tmp_path / ".virtualenvs")
    for name, info in both.items():
        if info.prefix == str(tmp_path / ".venvs" / "a"):
            assert await one.resources(name) == ()


async def test_an_env_policy_that_is_none_is_refused(tmp_path: Path) -> None:
    """Before anything is activated."""
    venv(tmp_path / ".venvs" / "a", ipykernel="7.1.0")

    with pytest.raises(Unsupported):
        await provider(tmp_path).launch("a--python3", LaunchRequest(env_policy="inherits"))


async def test_files_of_kernelspecs_are_given(tmp_path: Path) -> None:
    """And no others, by whatever path."""
    prefix = venv(tmp_path / ".venvs" / "a", ipykernel="7.1.0")
    spec = kernelspec(prefix, "python3", IPYKERNEL, language="python")
    write(spec / "logo.svg", "<svg/>")
    one = provider(tmp_path)

    assert await one.resources("a--python3") == ("logo.svg",)
    assert await one.resource("a--python3", "logo.svg") == b"<svg/>"
    (spec / "link").symlink_to(write(tmp_path / "elsewhere"))
    for name in ("none", "link", "../python3/logo.svg", "..", ""):
        with pytest.raises(NoSuchResource):
            await one.resource("a--python3", name)
    with pytest.raises(NoSuchKernel):
        await one.resources("b--python3")


async def test_a_search_that_is_given_up_leaves_no_task(tmp_path: Path) -> None:
    """And the provider can be closed after it."""
    for number in range(3):
        venv(tmp_path / ".venvs" / f"v{number}")
    one = provider(tmp_path)
    search = one.find_kernels()
    await anext(search)
    await search.aclose()

    await one.refresh()
    await one.aclose()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
