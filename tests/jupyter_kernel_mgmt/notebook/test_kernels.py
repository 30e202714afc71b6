"""Where the kernel of a run comes from."""

import asyncio

import pytest

from jupyter_kernel_mgmt import KernelPool, launch
from jupyter_kernel_mgmt.notebook import NoKernelChosen, execute_notebook

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


async def test_one_source_of_kernels_is_enough() -> None:
    script = Script()
    async with script.finder, asyncio.timeout(GUARD), launch(KERNEL, finder=script.finder) as kernel:
        with pytest.raises(ValueError, match="exclude each other"):
            await execute_notebook(notebook("print a"), kernel=kernel, kernel_type=KERNEL)
