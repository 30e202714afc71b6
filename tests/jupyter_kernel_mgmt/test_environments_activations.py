"""Activation is computed once for each state of the files."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import LaunchError
from jupyter_kernel_mgmt.providers.environments.activations import Activations
from jupyter_kernel_mgmt.providers.environments.environment import Environment

from ._environments import conda, environment, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells are for POSIX")

VARIABLES = {"PATH": os.environ["PATH"]}


@pytest.fixture
def one(tmp_path: Path) -> Environment:
    """An environment with a script that counts how often it runs."""
    prefix = conda(tmp_path / "e", "python-3.11.4-h1_0")
    write(script_of(prefix), f"echo run >> {tmp_path}/runs; export A=$CONDA_DEFAULT_ENV\n")
    return environment(prefix, "conda", default_env="work")


def script_of(prefix: Path) -> Path:
    return prefix / "etc" / "conda" / "activate.d" / "a.sh"


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text().split())


async def test_a_shell_runs_once(one: Environment, tmp_path: Path) -> None:
    """In what the files have set already, and for all who ask at the same time."""
    activations = Activations()
    asked = [activations.changes(one, VARIABLES, timeout=20) for _ in range(3)]

    for changes in await asyncio.gather(*asked):
        assert changes["A"] == changes["CONDA_DEFAULT_ENV"] == "work"
    assert runs(tmp_path) == 1


@pytest.mark.parametrize("what", ["script", "another script", "variables of packages", "ours", "refresh"])
async def test_a_change_makes_it_run_again(one: Environment, tmp_path: Path, what: str) -> None:
    """Of any of the files it depends on, or of the variables it began with."""
    activations, variables = Activations(), dict(VARIABLES)
    await activations.changes(one, variables, timeout=20)
    if what == "script":
        os.utime(script_of(one.prefix), ns=(1, 1))
    elif what == "another script":
        write(script_of(one.prefix).with_name("b.sh"), ":")
    elif what == "variables of packages":
        write(one.prefix / "etc" / "conda" / "env_vars.d" / "x.json", '{"X": "1"}')
    elif what == "ours":
        variables["X"] = "1"
    else:
        activations.forget()

    await activations.changes(one, variables, timeout=20)

    assert runs(tmp_path) == 2


async def test_a_failure_is_not_kept(one: Environment, tmp_path: Path) -> None:
    """The next launch may find it mended."""
    activations = Activations()
    good = script_of(one.prefix).read_text()
    script_of(one.prefix).write_text("exit 1")
    with pytest.raises(LaunchError):
        await activations.changes(one, VARIABLES, timeout=20)
    script_of(one.prefix).write_text(good)

    assert (await activations.changes(one, VARIABLES, timeout=20))["A"] == "work"


async def test_who_waits_goes_on_when_the_first_is_cancelled(one: Environment, tmp_path: Path) -> None:
    """It runs anew for the other."""
    activations = Activations()
    first = asyncio.create_task(activations.changes(one, VARIABLES, timeout=20))
    second = asyncio.create_task(activations.changes(one, VARIABLES, timeout=20))
    await asyncio.sleep(0)
    first.cancel()

    assert (await second)["A"] == "work"
    assert first.cancelled()


async def test_where_there_are_no_scripts_no_shell_runs(tmp_path: Path) -> None:
    """A virtual environment never needs one."""
    changes = await Activations().changes(environment(tmp_path / "v"), {"PATH": "/bin"}, timeout=0.000001)

    assert changes["VIRTUAL_ENV"] == str(tmp_path / "v")


async def test_who_waits_for_another_waits_no_longer_than_told(one: Environment) -> None:
    """The other may have more time, and goes on."""
    write(script_of(one.prefix), "while :; do sleep 1; done")
    activations = Activations()
    first = asyncio.create_task(activations.changes(one, VARIABLES, timeout=20))
    await asyncio.sleep(0)

    with pytest.raises(LaunchError, match="another launch that activates"):
        await activations.changes(one, VARIABLES, timeout=0.01)

    assert not first.done()
    first.cancel()
    await asyncio.wait([first])


async def test_who_comes_just_when_it_is_the_turn_of_another_waits_no_longer_either(
    one: Environment,
) -> None:
    """Nobody has the turn in this moment, and who waited for it is the next."""
    activations, end = Activations(), asyncio.Event()

    async def next_one() -> None:
        async with activations._turn(one, 20):
            await end.wait()

    async with activations._turn(one, 20):
        waiting = asyncio.create_task(next_one())
        await asyncio.sleep(0)
    with pytest.raises(LaunchError, match="another launch that activates"):
        async with asyncio.timeout(5), activations._turn(one, 0.01):
            pass
    end.set()
    await waiting
    async with activations._turn(one, 0):
        pass  # it is free
