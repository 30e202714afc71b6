"""What a pixi project adds to activating its environments."""

import os
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.providers.environments.activations import Activations
from jupyter_kernel_mgmt.providers.environments.pixi import ProjectActivation, project_activation

from ._environments import conda, environment, write

MANIFEST = """
[activation]
scripts = ["setup.sh", "setup.bat"]
env = { A = "default", B = "default", N = 3 }
[target.unix.activation]
env = { B = "unix" }
[target.linux-64.activation]
env = { C = "linux-64" }
[target.win.activation]
scripts = ["win.bat"]
env = { B = "win" }
[feature.test.target.linux-aarch64.activation]
env = { D = "aarch64" }
[feature.test.activation]
scripts = ["test.sh"]
env = { A = "test" }
[environments]
test = ["test", "no such feature"]
alone = { features = ["test"], no-default-feature = true }
"""


@pytest.mark.parametrize(
    ("name", "system", "machine", "variables", "scripts"),
    [
        ("default", "linux", "x86_64", {"A": "default", "B": "unix", "C": "linux-64"}, ["setup.sh"]),
        ("default", "darwin", "arm64", {"A": "default", "B": "unix"}, ["setup.sh"]),
        ("default", "win32", "AMD64", {"A": "default", "B": "win"}, ["setup.sh"]),
        ("test", "linux", "x86_64", {"A": "test", "B": "unix", "C": "linux-64"}, ["setup.sh", "test.sh"]),
        ("alone", "linux", "x86_64", {"A": "test"}, ["test.sh"]),
        ("alone", "linux", "aarch64", {"A": "test", "D": "aarch64"}, ["test.sh"]),
        ("alone", "plan9", "mips", {"A": "test"}, ["test.sh"]),
    ],
)
def test_the_manifest_says_what_each_environment_has(
    tmp_path: Path, name: str, system: str, machine: str, variables: dict[str, str], scripts: list[str]
) -> None:
    """The default feature's first, then its own, on each system what is for it."""
    write(tmp_path / "pixi.toml", MANIFEST)

    found = project_activation(tmp_path, name, system=system, machine=machine)

    assert dict(found.variables) == variables
    assert found.scripts == tuple(tmp_path / script for script in scripts)


def test_a_project_of_python_may_have_it_in_its_own_file(tmp_path: Path) -> None:
    """Below the tool's name."""
    write(tmp_path / "pyproject.toml", '[tool.pixi.activation]\nenv = { A = "1" }')

    assert project_activation(tmp_path, "default").variables == {"A": "1"}


@pytest.mark.parametrize(
    "text",
    ["", "[", "activation = 3", "[activation]\nenv = 3\nscripts = 'x'", "environments = { default = 3 }"],
)
def test_what_is_no_manifest_adds_nothing(tmp_path: Path, text: str) -> None:
    """It is somebody else's mistake."""
    write(tmp_path / "pixi.toml", text)

    assert project_activation(tmp_path, "default") == ProjectActivation()
    assert project_activation(tmp_path / "none", "default") == ProjectActivation()


@pytest.mark.skipif(sys.platform == "win32", reason="shells are for POSIX")
async def test_it_is_part_of_the_activation(tmp_path: Path) -> None:
    """Variables see those that are set before, scripts see the variables; a changed manifest counts."""
    prefix = conda(tmp_path / "p" / ".pixi" / "envs" / "default")
    one = environment(prefix, "pixi", project=tmp_path / "p", default_env="p")
    manifest = tmp_path / "p" / "pixi.toml"
    write(manifest, '[activation]\nscripts = ["a.sh"]\nenv = { ROOT = "$PIXI_PROJECT_ROOT/x" }')
    write(tmp_path / "p" / "a.sh", 'export SEEN="$ROOT"')
    activations, variables = Activations(), {"PATH": os.environ["PATH"]}

    changes = await activations.changes(one, variables, timeout=20)
    assert changes["ROOT"] == changes["SEEN"] == f"{tmp_path}/p/x"

    write(manifest, "")
    assert "ROOT" not in await activations.changes(one, variables, timeout=20)


@pytest.mark.skipif(sys.platform == "win32", reason="of pipes")
def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    """It is no manifest."""
    os.mkfifo(tmp_path / "pixi.toml")

    assert project_activation(tmp_path, "default") == ProjectActivation()
