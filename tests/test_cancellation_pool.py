"""Pools of kernels, cancelled wherever they or those who use them wait: nothing is lost or left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jupyter_kernel_mgmt import Backoff, KernelFinder, KernelPool, LaunchError
from jupyter_kernel_mgmt._pool_preparing import PREPARING
from jupyter_kernel_mgmt.testing import FakeManager, FakeProvider

from ._cancelling import GUARD, Moment, Plan, all_moments, cancel_everywhere, comes_true


async def turns(manager: FakeManager | None = None) -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def prepares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake kernels can change directory and environment."""
    monkeypatch.setitem(PREPARING, "fake", lambda cwd, env: f"prepare: {cwd} {dict(env)}")  # type: ignore[arg-type]


@asynccontextmanager
async def pool_of(provider: FakeProvider, **options: Any) -> AsyncIterator[KernelPool]:
    async with KernelFinder([provider]) as finder:
        async with KernelPool("fake/kernel", finder=finder, **{"size": 1, "limit": 1, **options}) as pool:
            pool._stock._backoff = Backoff(initial=0)
            yield pool
        await nothing_is_left(pool, provider)


async def nothing_is_left(pool: KernelPool, provider: FakeProvider) -> None:
    await comes_true(lambda: not (pool._keeper and pool._keeper._tasks))
    assert all([manager.closed and not await manager.is_alive() for manager in provider.managers])
    metrics = pool.metrics
    assert (metrics.ready, metrics.starting, metrics.lent, metrics.ending, metrics.waiting) == (0,) * 5


async def it_serves(pool: KernelPool) -> None:
    """Everything is in its place: as many kernels as there can be, and none is counted that is not there."""
    async with asyncio.timeout(GUARD):
        async with pool.acquire() as kernel:
            await kernel.kernel_info()
        await pool.filled()
        await comes_true(lambda: not pool.metrics.ending)
    assert pool.metrics.ready + pool.metrics.lent == pool._stock._total() <= pool._stock.limit


@all_moments
async def test_a_whole_pool(moment: Moment) -> None:
    """Wherever it was: entered, filled, lent, taken back, refilled or closed."""

    async def scene(plan: Plan) -> None:
        provider = FakeProvider(on_launch=turns)
        async with KernelFinder([provider]) as finder:
            pool = KernelPool("fake/kernel", size=1, limit=1, finder=finder)

            async def block() -> None:
                async with pool, pool.acquire(cwd="/") as kernel:
                    await kernel.execute("x")

            await plan.run(block())
            await nothing_is_left(pool, provider)

    await cancel_everywhere(scene, moment, at_least=20)


@all_moments
@pytest.mark.parametrize("code", ["x", None])
async def test_a_kernel_on_loan(code: str | None, moment: Moment) -> None:
    """The pool has it back, used or not."""

    async def scene(plan: Plan) -> None:
        provider = FakeProvider()
        async with pool_of(provider) as pool:
            await pool.filled()

            async def use() -> None:
                async with pool.acquire(env={"A": "b"}) as kernel:
                    await (kernel.kernel_info() if code is None else kernel.execute(code))

            await plan.run(use())
            await it_serves(pool)

    await cancel_everywhere(scene, moment, at_least=3)


@all_moments
async def test_waiting_in_the_queue(moment: Moment) -> None:
    """Those behind are served."""

    async def scene(plan: Plan) -> None:
        provider = FakeProvider()
        async with pool_of(provider) as pool:
            got: list[str] = []

            async def want(name: str) -> None:
                async with pool.acquire(timeout=GUARD):
                    got.append(name)

            async with pool.acquire():
                behind: list[asyncio.Task[None]] = []

                async def first() -> None:
                    waiting = asyncio.create_task(want("first"))
                    try:
                        await asyncio.sleep(0)
                        behind.append(asyncio.create_task(want("second")))
                        await leave.wait()
                        await waiting
                    finally:
                        waiting.cancel()
                        await asyncio.wait([waiting])

                leave = asyncio.Event()
                running = asyncio.create_task(plan.run(first()))
                await comes_true(lambda: pool.metrics.waiting == 2 or running.done())
                leave.set()
            await running
            await asyncio.gather(*behind)
            assert got[-1:] == ["second"] * len(behind)
            await it_serves(pool)

    await cancel_everywhere(scene, moment)


@all_moments
async def test_somebody_whose_kernel_turns_out_to_be_dead(moment: Moment) -> None:
    """The dead one is replaced, whether or not he waits for that."""

    async def scene(plan: Plan) -> None:
        provider = FakeProvider()
        async with pool_of(provider) as pool:
            await pool.filled()
            provider.managers[0].die()

            async def use() -> None:
                async with pool.acquire():
                    pass

            await plan.run(use())
            await it_serves(pool)

    await cancel_everywhere(scene, moment)


@all_moments
async def test_waiting_for_launches_that_fail(moment: Moment) -> None:
    async def fail(manager: FakeManager) -> None:
        await turns()
        raise LaunchError("not today")

    async def scene(plan: Plan) -> None:
        provider = FakeProvider(on_launch=fail)
        async with pool_of(provider) as pool:

            async def use() -> None:
                with pytest.raises(LaunchError):
                    async with pool.acquire():
                        pass

            await plan.run(use())
            await comes_true(lambda: not pool.metrics.waiting)
            provider.on_launch = None
            await pool_recovers(pool)

    async def pool_recovers(pool: KernelPool) -> None:
        """A launch that had begun may still fail."""
        try:
            await it_serves(pool)
        except LaunchError:
            await it_serves(pool)

    await cancel_everywhere(scene, moment)


@all_moments
async def test_filling(moment: Moment) -> None:
    async def scene(plan: Plan) -> None:
        provider = FakeProvider(on_launch=turns)
        async with pool_of(provider, size=2, limit=2) as pool:
            await plan.run(pool.filled())
            assert not pool._keeper.filled
            await it_serves(pool)

    await cancel_everywhere(scene, moment)


@all_moments
async def test_closing_with_a_kernel_on_loan_that_is_busy_and_a_launch_under_way(moment: Moment) -> None:
    """Cancelled, it kills what it would have asked; all has ended when it has."""

    async def scene(plan: Plan) -> None:
        async def hang(run: object) -> None:
            if getattr(run, "code", "") == "hang":
                await asyncio.Event().wait()

        async def never(manager: FakeManager) -> None:
            if len(provider.managers) > 1:
                launching.set()
                await asyncio.Event().wait()

        launching = asyncio.Event()
        provider = FakeProvider(hang, on_launch=never)
        async with pool_of(provider, limit=2) as pool, pool.acquire() as kernel:
            execution = kernel.execute("hang")
            await launching.wait()
            await plan.run(pool.aclose())
            await plan.promise(lambda: not (pool._keeper and pool._keeper._tasks))
            await plan.promise(lambda: all(manager.closed for manager in provider.managers))
            await plan.promise(execution.done)
            with pytest.raises(Exception, match=r"closed|died"):
                await execution

    await cancel_everywhere(scene, moment, at_least=3)
