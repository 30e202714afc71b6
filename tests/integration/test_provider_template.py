"""examples/provider_template: copied, renamed and installed, it is found, and proves itself there."""

import asyncio
import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parent.parent.parent / "examples" / "provider_template"
NAMES = {"my-kernels": "oblong", "my_kernels": "oblong_kernels", "MyProvider": "OblongProvider"}
GUARD = 60.0

Run = Callable[..., Awaitable[str]]


@pytest.fixture
def project(directory: Path) -> Path:
    """A copy with other names, as the template says."""
    copy = directory / "oblong"
    shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for path in sorted(copy.rglob("*"), reverse=True):  # what is in a directory before that itself
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for old, new in NAMES.items():
                text = text.replace(old, new)
            path.write_text(text, encoding="utf-8")
        elif path.name in NAMES:
            path.rename(path.with_name(NAMES[path.name]))
    return copy


@pytest.fixture
async def environment(directory: Path) -> Path:
    """The interpreter of a fresh environment, which borrows what is installed in ours."""
    home = directory / "environment"
    await run(sys.executable, "-m", "venv", "--without-pip", "--symlinks", home)
    variables = {"base": str(home), "platbase": str(home)}
    own = Path(sysconfig.get_path("purelib", "venv", vars=variables))
    ours = sorted({sysconfig.get_path(kind) for kind in ("purelib", "platlib")})
    lines = [f"import site; site.addsitedir({path!r})\n" for path in ours]
    (own / "borrowed.pth").write_text("".join(lines), encoding="utf-8")
    return Path(sysconfig.get_path("scripts", "venv", vars=variables)) / Path(sys.executable).name


async def run(*command: str | Path, cwd: Path | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=cwd,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(GUARD):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0, output.decode() + errors.decode()
    return output.decode()


async def test_the_template_is_installed_and_found_and_keeps_its_promises(
    project: Path, environment: Path
) -> None:
    """In a fresh environment, under other names; its own tests say so."""
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    await run(sys.executable, "-m", "pip", "--python", environment, "install", *options, project)
    listed = json.loads(await run(environment, "-m", "jupyter_kernel_mgmt.cli", "list", "--json"))
    (mine,) = [kernel for kernel in listed["kernels"] if kernel["provider"] == "oblong"]
    assert (mine["type"], mine["display_name"]) == ("oblong/python", "Python, optimised")
    assert mine["metadata"]["parameters"]["properties"]["optimize"]["maximum"] == 2
    assert not [problem for problem in listed["problems"] if "oblong" in problem["where"]]
    tested = await run(environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert "4 passed" in tested
