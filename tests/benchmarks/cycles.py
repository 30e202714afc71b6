"""What launching, executing and closing leave behind, ipykernel after ipykernel: nothing, if lines are flat.

``python tests/benchmarks/cycles.py [--cycles N] [--parallel N] [--forkserver] [--quick]`` chooses; as one of
all benchmarks it takes 500 cycles, or 20 in a hurry, four at a time, all of them cold.
"""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import astuple, dataclass, fields
from itertools import repeat

import psutil  # type: ignore[import-untyped]
from _harness import private_directories

from jupyter_kernel_mgmt import KernelFinder, launch

CYCLES, QUICK_CYCLES, PARALLEL = 500, 20, 4
CELL = "print('-' * 1000); 6 * 7"
SAMPLES = 10
"""How often is looked; the first time, everything that is made only once should be there."""


@dataclass(frozen=True)
class Held:
    """What this process holds while no kernel is open, and what its helpers hold: megabytes and numbers.

    Memory that is free may stay with the process; ``blocks`` are those of Python's objects that live.
    """

    memory: float
    blocks: int
    files: int
    threads: int
    tasks: int
    children: int
    helper_memory: float
    helper_files: int

    @classmethod
    def now(cls) -> "Held":
        """A look at all of it."""
        gc.collect()
        here = psutil.Process()
        helpers = here.children(recursive=True)
        return cls(
            here.memory_info().rss / 2**20,
            sys.getallocatedblocks(),
            here.num_fds(),
            here.num_threads(),
            len(asyncio.all_tasks()),
            len(helpers),
            sum(helper.memory_info().rss for helper in helpers) / 2**20,
            sum(helper.num_fds() for helper in helpers),
        )


def run(
    *, quick: bool, cycles: int | None = None, parallel: int = PARALLEL, forkserver: bool = False
) -> None:
    """Print what is held every so many cycles, and how much that grew since the first of these."""
    cycles = cycles or (QUICK_CYCLES if quick else CYCLES)
    with private_directories():
        asyncio.run(_run(cycles, parallel, forkserver=forkserver))


async def _run(cycles: int, parallel: int, *, forkserver: bool) -> None:
    how = "forked" if forkserver else "cold"
    print(f"\n{cycles} cycles of launch, execute and close, {how}, {parallel} at a time: held between them")
    print(f"  {'cycle':>8} {'time':>8} " + " ".join(f"{field.name:>13}" for field in fields(Held)))
    start, done, samples = time.perf_counter(), 0, []
    async with AsyncExitStack() as stack:
        finder = None
        if forkserver:  # without a finder the fork server would end with the last kernel that is open
            finder = KernelFinder.from_entrypoints()
            stack.push_async_callback(finder.aclose)
        while done < cycles:
            count = min(max(cycles // SAMPLES, parallel), cycles - done)
            await _cycles(count, parallel, finder)
            done += count
            samples.append(Held.now())
            _print(str(done), f"{time.perf_counter() - start:.0f} s", samples[-1])
    growth = [last - first for first, last in zip(astuple(samples[0]), astuple(samples[-1]), strict=True)]
    _print("growth", "", Held(*growth))


async def _cycles(count: int, parallel: int, finder: KernelFinder | None) -> None:
    """So many cycles, by so many workers."""
    turns = repeat(None, count)
    async with asyncio.TaskGroup() as group:
        for _ in range(parallel):
            group.create_task(_work(turns, finder))


async def _work(turns: Iterator[None], finder: KernelFinder | None) -> None:
    for _ in turns:
        async with launch(finder=finder, forkserver=finder is not None) as kernel:
            (await kernel.execute(CELL)).raise_for_status()


def _print(cycle: str, elapsed: str, held: Held) -> None:
    cells = (f"{value:.1f} MB" if isinstance(value, float) else f"{value:,}" for value in astuple(held))
    print(f"  {cycle:>8} {elapsed:>8} " + " ".join(f"{cell:>13}" for cell in cells), flush=True)


def main() -> None:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, help=f"how many ({CYCLES}, with --quick {QUICK_CYCLES})")
    parser.add_argument("--parallel", type=int, default=PARALLEL, help="kernels at a time")
    parser.add_argument("--forkserver", action="store_true", help="forked instead of started cold")
    parser.add_argument("--quick", action="store_true", help="fewer cycles")
    arguments = parser.parse_args()
    run(
        quick=arguments.quick,
        cycles=arguments.cycles,
        parallel=arguments.parallel,
        forkserver=arguments.forkserver,
    )


if __name__ == "__main__":
    main()
