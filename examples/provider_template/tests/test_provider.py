"""Does the provider keep its promises, and do its options do what they say?"""

from my_kernels import MyProvider

from jupyter_kernel_mgmt import KernelFinder, launch
from jupyter_kernel_mgmt.testing import check_provider


async def test_the_provider_keeps_its_promises() -> None:
    await check_provider(MyProvider())


async def test_a_launch_parameter_arrives() -> None:
    async with KernelFinder([MyProvider()]) as finder:
        params = {"optimize": 1}
        async with launch("my-kernels/python", launch_params=params, finder=finder) as kernel:
            assert (await kernel.execute("__debug__")).text == "False"


async def test_an_interpreter_that_is_not_there_is_an_obstacle() -> None:
    provider = MyProvider()
    provider.load_config({"python": "/no/such/python"})
    ((_, info),) = provider.find_kernels()
    assert "there is no /no/such/python" in info.obstacle


async def test_it_is_found_where_it_is_installed() -> None:
    async with KernelFinder.from_entrypoints() as finder:
        assert "my-kernels/python" in [kernel_type async for kernel_type, _ in finder.find_kernels()]
