"""Where conda's and pixi's prefixes are, and what their file names say."""

from pathlib import Path

import pytest

from jupyter_kernel_mgmt.providers.environments.conda import (
    conda_candidates,
    conda_roots,
    envs_dirs,
    package_version,
    pixi_candidates,
    read_conda,
)
from jupyter_kernel_mgmt.providers.environments.disk import Disk
from jupyter_kernel_mgmt.providers.environments.places import Places

from ._environments import conda, places, write


def test_prefixes_are_where_conda_has_noted_and_made_them(tmp_path: Path) -> None:
    """environments.txt, the installations that variables name and their envs, the user's own directories."""
    write(tmp_path / ".conda" / "environments.txt", f"{tmp_path}/noted\n\nrelative\n")
    write(tmp_path / ".condarc", f"envs_dirs:\n  - ~/mine\n  - {tmp_path}/ours\n")
    for name in ("root/envs/a", "miniforge3/envs/b", ".conda/envs/c", "mine/d", "ours/e", "listed/f"):
        (tmp_path / name).mkdir(parents=True)
    where = places(
        tmp_path,
        CONDA_EXE=f"{tmp_path}/root/bin/conda",
        CONDA_PREFIX=f"{tmp_path}/active",
        MAMBA_ROOT_PREFIX=f"{tmp_path}/mamba",
        CONDA_ENVS_PATH=f"{tmp_path}/listed",
    )

    found = {str(path.relative_to(tmp_path)) for path in conda_candidates(where, Disk())}

    assert found >= {"active", "noted", "root", "root/envs/a", "mamba", "miniforge3", "miniforge3/envs/b"}
    assert found >= {".conda/envs/c", "mine/d", "ours/e", "listed/f"}


def test_each_system_has_the_places_of_its_installers() -> None:
    """Besides those of the whole machine."""
    home = Path("/h")
    mac = Places(home=home, cwd=None, platform="darwin", system=(Path("/opt/conda"),))
    windows = Places(home=home, cwd=None, platform="win32", variables={"LOCALAPPDATA": "/l"})

    assert {home / "opt" / "anaconda3", Path("/opt/conda")} <= {*conda_roots(mac)}
    assert Path("/l/miniconda3") in conda_roots(windows)


@pytest.mark.parametrize(
    ("where", "packages", "name", "default_env"),
    [
        ("root", ("conda-24.1-py_0", "python-3.12.1-h1_0"), "base", "base"),
        ("root/envs/work", ("python-3.12.1-h1_0",), "work", "work"),
        ("project/.conda", ("python-3.12.1-h1_0",), "project", None),
        ("elsewhere", ("python-3.12.1-h1_0",), "elsewhere", None),
    ],
)
def test_a_prefix_has_the_name_that_conda_gives_it(
    tmp_path: Path, where: str, packages: tuple[str, ...], name: str, default_env: str | None
) -> None:
    """And its path as CONDA_DEFAULT_ENV where conda has none for it."""
    prefix = conda(tmp_path / where, *packages)

    found = read_conda(prefix, Disk())

    assert found is not None
    assert (found.kind, found.name, found.python) == ("conda", name, "3.12.1")
    assert found.default_env == (default_env or str(prefix))


def test_pixi_has_prefixes_in_projects(tmp_path: Path) -> None:
    """The default one has the project's name."""
    default = conda(tmp_path / "p" / ".pixi" / "envs" / "default", "python-3.13.0-h1_0")
    other = conda(tmp_path / "p" / ".pixi" / "envs" / "test")

    assert list(pixi_candidates(tmp_path / "p", Disk())) == [default, other]
    first, second = read_conda(default, Disk()), read_conda(other, Disk())
    assert first is not None
    assert second is not None
    assert (first.kind, first.name, first.project, first.default_env) == ("pixi", "p", tmp_path / "p", "p")
    assert (second.name, second.default_env, second.python) == ("p-test", "p:test", "")


def test_what_has_no_conda_meta_is_none_of_it(tmp_path: Path) -> None:
    """An empty directory of that name included: conda leaves it behind."""
    (tmp_path / "conda-meta").mkdir()

    assert read_conda(tmp_path, Disk()) is None
    assert read_conda(tmp_path / "gone", Disk()) is None


def test_the_version_of_a_package_is_in_a_name() -> None:
    """Of that package, and of none whose name only begins like it."""
    names = ["history", "python-dateutil-2.9-py_0.json", "python-3.11.4-h1_0.json", "r-base-4.3.1-h_2.json"]

    assert package_version(names, "python") == "3.11.4"
    assert package_version(names, "r-base") == "4.3.1"
    assert package_version(names, "r") == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("envs_dirs:\n- /a\n- '/b'  # ours\nchannels:\n- c\n", ["/a", "/b"]),
        ("channels:\n  - c\nenvs_dirs:\n\n  # mine\n  - ~/x\n", ["~/x"]),
        ("envs_dirs: [/a]\n", []),
    ],
)
def test_condarc_lists_directories(text: str, found: list[str]) -> None:
    """As conda writes it."""
    assert envs_dirs(text) == found
