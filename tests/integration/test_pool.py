"""Pools of real kernels: what a holder finds, what it leaves, and kernels that are killed."""

import asyncio
import os
import signal
import sys

import pytest

from jupyter_kernel_mgmt import KernelDied, KernelPool, LaunchError, NoSuchKernel, Unsupported, _pooled_kernel

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

GUARD = 60
LOOK = "import os; print(os.getcwd(), os.environ.get('A'), os.environ.get('B'), sep='|')"


@pytest.fixture
def place(world):
    """A directory."""
    return world.other.resolve()


async def said(kernel, code):
    return (await kernel.execute(code)).raise_for_status().stdout


async def test_a_kernel_has_directory_and_environment_when_it_is_handed_out(ipykernel, place):
    """It is warm, new, and shows no trace of having been prepared: no name, no count, no history."""
    async with asyncio.timeout(GUARD), KernelPool(ipykernel, size=1, limit=1, env={"B": "pool"}) as pool:
        await pool.filled()
        async with pool.acquire(cwd=place, env={"A": "it's\n“odd”"}) as kernel:
            names = await said(kernel, "print(*dir())")
            assert not {"os", "sys", "cwd", "env", "start", "wanted"} & set(names.split())
            result = await kernel.execute(LOOK)
            assert result.stdout == f"{place}|it's\n“odd”|pool\n"
            assert result.execution_count == 2
            assert await said(kernel, "print(len(In))") == "4\n"


async def test_a_kernel_that_serves_again_is_as_it_was_launched(ipykernel, place):
    """Its environment, that is: variables of the holder before, and those that his code set or deleted."""
    async with asyncio.timeout(GUARD), KernelPool(ipykernel, size=1, limit=1, max_uses=3) as pool:
        async with pool.acquire() as kernel:
            first = await said(kernel, "import os; print(sorted(os.environ.items()), os.getcwd())")
        async with pool.acquire(cwd=place, env={"A": "b", "PATH": "elsewhere"}) as kernel:
            assert await said(kernel, LOOK) == f"{place}|b|None\n"
            await said(kernel, "del os.environ['HOME']; os.environ['B'] = 'c'; os.chdir('/')")
        async with pool.acquire() as kernel:
            again = await said(kernel, "import os; print(sorted(os.environ.items()), os.getcwd())")
        assert again == first
        assert pool.metrics.launched == 1


@posix
async def test_bash_can_be_prepared_too_and_serves_again_as_it_was_launched(require, place):
    require("bash")
    odd = place / "it's “odd”"
    odd.mkdir()
    show = 'printf \'%s|\' "$PWD" "$A" "$B" "$HOME"; export -p | wc -l'
    async with asyncio.timeout(GUARD), KernelPool("bash", size=1, limit=1, max_uses=3) as pool:
        async with pool.acquire() as kernel:
            first = await said(kernel, show)
        async with pool.acquire(cwd=odd, env={"A": "x y\n'z'"}) as kernel:
            directory, a, b, *_ = (await said(kernel, show)).replace("\r\n", "\n").split("|")
            assert (directory, a, b) == (str(odd), "x y\n'z'", "")
            await said(kernel, "unset HOME; export B=1")
        async with pool.acquire() as kernel:
            assert await said(kernel, show) == first
        with pytest.raises(LaunchError, match="cannot be prepared"):
            async with pool.acquire(cwd=place / "nowhere"):
                pass
        await pool.filled()
        assert pool.metrics.taken_back == 3


@pytest.mark.parametrize("kernel_type", ["deno", "ir"])
async def test_a_kernel_of_another_language_is_only_checked(kernel_type, require):
    """And says that it cannot change its directory."""
    require(kernel_type)
    async with asyncio.timeout(GUARD), KernelPool(kernel_type, size=1, limit=1) as pool:
        with pytest.raises(Unsupported, match=r"^cwd: "):
            async with pool.acquire(cwd="/"):
                pass
        async with pool.acquire() as kernel:
            assert (await kernel.kernel_info()).content["status"] == "ok"
        assert pool.metrics.launched == 1


async def test_a_directory_that_is_none_is_said_and_costs_no_kernel(ipykernel, place):
    async with asyncio.timeout(GUARD), KernelPool(ipykernel, size=1, limit=1) as pool:
        with pytest.raises(LaunchError, match=r"FileNotFoundError.*nowhere"):
            async with pool.acquire(cwd=place / "nowhere", env={"A": "b"}):
                pass
        async with pool.acquire() as kernel:
            assert await said(kernel, LOOK.replace("os.getcwd()", "''")) == "|None|None\n"
        assert pool.metrics.launched == 1


async def test_thirty_tasks_share_three_kernels(quick_kind):
    """Each kernel serves ten, and no two tasks have one at the same time."""
    busy = set()
    async with asyncio.timeout(2 * GUARD):
        async with KernelPool(quick_kind.kernel_type, size=3, limit=3, max_uses=10) as pool:

            async def work(number):
                async with pool.acquire(env={"A": str(number)}) as kernel:
                    assert kernel.kernel_id not in busy
                    busy.add(kernel.kernel_id)
                    assert await said(kernel, "import os; print(os.environ['A'])") == f"{number}\n"
                    busy.remove(kernel.kernel_id)

            await asyncio.gather(*map(work, range(30)))
            assert pool.metrics.handed_out == 30


@posix
async def test_kernels_that_die_or_stop_in_stock_are_never_handed_out(ipykernel, monkeypatch, eventually):
    """One that died is replaced when it does; one that was stopped when it does not answer the check."""
    monkeypatch.setattr(_pooled_kernel, "CHECK_TIMEOUT", 1)
    async with asyncio.timeout(GUARD), KernelPool(ipykernel, size=2) as pool:
        await pool.filled()
        killed, stopped = [pooled.kernel.manager for pooled in pool._stock.ready]
        os.kill(killed.pid, signal.SIGKILL)
        await eventually(lambda: pool.metrics.died)
        os.kill(stopped.pid, signal.SIGSTOP)
        async with pool.acquire() as kernel:
            assert kernel.manager not in (killed, stopped)
            assert (await kernel.execute("6 * 7")).text == "42"
        assert pool.metrics.unfit == 1


@posix
async def test_a_holder_is_told_that_the_kernel_died_and_gets_another(ipykernel, run_until):
    async with asyncio.timeout(GUARD), KernelPool(ipykernel, size=1) as pool:
        async with pool.acquire() as kernel:
            execution = await run_until(kernel, "import time; print('started', flush=True); time.sleep(600)")
            os.kill(kernel.manager.pid, signal.SIGKILL)
            with pytest.raises(KernelDied) as caught:
                await execution
            assert caught.value.exit_info.returncode == -signal.SIGKILL
            assert caught.value.result.stdout == "started\n"
        async with pool.acquire() as kernel:
            assert (await kernel.execute("6 * 7")).text == "42"


async def test_closing_ends_busy_kernels_on_loan_and_launches_under_way(ipykernel, run_until, descendants):
    async with asyncio.timeout(GUARD), KernelPool(ipykernel, size=2) as pool, pool.acquire() as kernel:
        await run_until(kernel, "import time; print('started', flush=True); time.sleep(600)")
        assert descendants()
        await pool.aclose()
        assert not descendants()


async def test_a_kernel_type_that_does_not_exist_is_told_with_near_names():
    async with asyncio.timeout(GUARD), KernelPool("spec/pyton3", size=3) as pool:
        with pytest.raises(NoSuchKernel, match="did you mean 'spec/python3'"):
            async with pool.acquire():
                pass
