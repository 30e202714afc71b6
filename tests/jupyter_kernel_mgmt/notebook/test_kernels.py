"""Where the kernel of a run comes from."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import nbformat
import pytest

from jupyter_kernel_mgmt import KernelFinder, KernelPool, KernelTypeInfo, NoSuchKernel, launch, with_kernel
from jupyter_kernel_mgmt.notebook import (
    NoKernelChosen,
    NotebookEvent,
    NotebookRun,
    NotebookStarted,
    execute_notebook,
    launching,
)
from jupyter_kernel_mgmt.testing import FakeProvider

from ._scripted import KERNEL, Script, notebook, texts

GUARD = 20


async def test_a_kernel_that_is_given_stays_and_is_not_ended() -> None:
    """With what is in its memory; one after the other may use it."""
    script = Script()
    async with script.finder, asyncio.timeout(GUARD), launch(KERNEL, finder=script.finder) as kernel:
        for text in ("a", "b"):
            assert texts(await execute_notebook(notebook(f"print {text}"), kernel=kernel)) == [[text]]
        assert kernel.state.value == "ready"
        assert len(script.provider.launches) == 1


async def test_a_pool_lends_a_warm_kernel() -> None:
    script = Script()
    async with (
        script.finder,
        asyncio.timeout(GUARD),
        KernelPool(KERNEL, size=1, finder=script.finder) as pool,
    ):
        assert texts(await execute_notebook(notebook("print a"), pool=pool)) == [["a"]]


async def test_the_notebook_says_which_kernel() -> None:
    """Of the finder's; where none fits, nothing is started."""
    script = Script()
    async with script.finder, asyncio.timeout(GUARD):
        named = notebook("print a", kernelspec={"name": KERNEL, "display_name": "x"})
        assert texts(await execute_notebook(named, finder=script.finder)) == [["a"]]
        other = notebook("print a", kernelspec={"name": "gone", "display_name": "x", "language": "other"})
        with pytest.raises(NoKernelChosen, match="there is none for the language other"):
            await execute_notebook(other, finder=script.finder)
        assert len(script.provider.launches) == 1


class Environments(FakeProvider):
    """Kernels called python3, in environments of these prefixes."""

    def __init__(self, **prefixes: Path) -> None:
        super().__init__(id="environments", names=[f"{name}--python3" for name in prefixes])
        self.prefixes = prefixes

    def find_kernels(self) -> Generator[tuple[str, KernelTypeInfo], None, None]:
        for name, prefix in self.prefixes.items():
            yield (
                f"{name}--python3",
                KernelTypeInfo(display_name="Python 3.11", language="python", prefix=str(prefix)),
            )


class Specs(FakeProvider):
    """A kernelspec called python3."""

    def __init__(self) -> None:
        super().__init__(id="spec", names=["python3"])

    def find_kernels(self) -> Generator[tuple[str, KernelTypeInfo], None, None]:
        yield "python3", KernelTypeInfo(display_name="Python 3", language="python")


@pytest.mark.parametrize("given", ["file", "notebook and directory", "notebook alone", "recorded"])
async def test_the_project_of_the_notebook_has_the_kernel(tmp_path: Path, given: str) -> None:
    """By its file, else by where it is run; with neither the name decides, and what is recorded always."""
    here, there = tmp_path / "here" / ".venv", tmp_path / "there" / ".venv"
    file = tmp_path / "here" / "a.ipynb"
    file.parent.mkdir()
    written = notebook("", kernelspec={"name": "python3", "display_name": "x", "language": "python"})
    if given == "recorded":
        info = KernelTypeInfo(display_name="Python 3.11", language="python", prefix=str(there))
        written.metadata = nbformat.from_dict(
            with_kernel(written.metadata, "environments/there--python3", info, path=file)
        )
    nbformat.write(written, file)
    events: list[NotebookEvent] = []
    finder = KernelFinder([Specs(), Environments(there=there, here=here)])
    async with finder, asyncio.timeout(GUARD):
        await execute_notebook(
            file if given in ("file", "recorded") else written,
            finder=finder,
            cwd=file.parent if "directory" in given else None,
            on_progress=events.append,
        )
    started = events[0]
    assert isinstance(started, NotebookStarted)
    chosen, reason = {
        "notebook alone": ("spec/python3", "the name 'python3'"),
        "recorded": ("environments/there--python3", "exactly this kernel"),
    }.get(given, ("environments/here--python3", f"own environment, {here}, beside the notebook"))
    assert started.kernel_type == chosen
    assert reason in started.reason


async def test_what_fits_equally_well_is_listed_with_reasons(tmp_path: Path) -> None:
    """And nothing is started."""
    environments = Environments(b=tmp_path / ".pixi/envs/b", a=tmp_path / ".pixi/envs/a")
    async with KernelFinder([Specs(), environments]) as finder, asyncio.timeout(GUARD):
        with pytest.raises(NoKernelChosen, match="2 kernel types fit the notebook equally well") as caught:
            await execute_notebook(notebook(""), finder=finder, cwd=tmp_path)
    assert caught.value.candidates == ("environments/a--python3", "environments/b--python3")
    assert f"environments/a--python3 (it runs in the project's own environment, {tmp_path}" in str(
        caught.value
    )
    assert not environments.launches


@pytest.mark.parametrize("as_jupyter", [True, False])
async def test_only_as_in_jupyter_python3_is_the_python_here(as_jupyter: bool) -> None:
    """Who asks for a kernelspec otherwise gets that one or none."""
    here = FakeProvider(id="pyimport", names=["kernel"])
    async with KernelFinder([FakeProvider(id="spec", names=["ir"]), here]) as finder, asyncio.timeout(GUARD):
        kernels = launching("python3", finder=finder, as_jupyter=as_jupyter)
        run = NotebookRun(notebook(), kernels=kernels)
        if as_jupyter:
            await run.execute()
        else:
            with pytest.raises(NoSuchKernel):
                await run.execute()
    assert bool(here.launches) is as_jupyter


async def test_one_source_of_kernels_is_enough() -> None:
    script = Script()
    async with script.finder, asyncio.timeout(GUARD), launch(KERNEL, finder=script.finder) as kernel:
        with pytest.raises(ValueError, match="exclude each other"):
            await execute_notebook(notebook("print a"), kernel=kernel, kernel_type=KERNEL)
