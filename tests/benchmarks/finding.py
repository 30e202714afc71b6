"""Finding 200 kernelspecs and 50 environments, beside a provider that hangs and one that raises."""

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from _harness import compare, in_loop, seconds
from _installations import Hangs, Raises, make_environments, make_kernelspec, make_kernelspecs
from jupyter_client.kernelspec import KernelSpecManager

from jupyter_kernel_mgmt import KernelFinder, KernelProviderBase, KernelSpecProvider
from jupyter_kernel_mgmt.providers.environments import EnvironmentsProvider

KERNELSPECS, ENVIRONMENTS, LIMIT = 200, 50, 2.0


def run(*, quick: bool) -> None:
    """Times of one search, ratios to the peer, and how long a change takes to be told."""
    logging.disable()
    rounds = 3 if quick else 15
    with TemporaryDirectory(prefix="bench-") as scratch, in_loop() as side:
        data, environments = Path(scratch) / "data", Path(scratch) / "environments"
        make_kernelspecs(data, KERNELSPECS)
        make_environments(environments, ENVIRONMENTS)
        asyncio.run(_show_one_search(data, environments))
        compare(
            f"all of {KERNELSPECS} kernelspecs",
            {
                "ours, a new finder": side(lambda: _ours(data)),
                "jupyter_client.KernelSpecManager, names": lambda: _peer(data, whole=False),
                "jupyter_client.KernelSpecManager, all": lambda: _peer(data, whole=True),
            },
            rounds=rounds,
        )
        compare(
            "the command, with those kernelspecs",
            {
                "jupyter-kernels list": lambda: _command(data, "jupyter-kernels", "list", "--json"),
                "jupyter kernelspec list": lambda: _command(data, "jupyter", "kernelspec", "list", "--json"),
            },
            rounds=rounds,
        )
        asyncio.run(_show_changes(data, rounds))


def _providers(data: Path, environments: Path) -> list[KernelProviderBase]:
    provider = EnvironmentsProvider()
    provider.load_config({"roots": [str(environments)]})
    return [KernelSpecProvider([data / "kernels"]), provider, Hangs(), Raises()]


async def _show_one_search(data: Path, environments: Path) -> None:
    print(f"\n{KERNELSPECS} kernelspecs, {ENVIRONMENTS} environments, one that hangs, one that raises")
    async with KernelFinder(_providers(data, environments), search_timeout=LIMIT) as finder:
        first = await _search(finder, "a new finder")
        second = await _search(finder, "once more, the one that hangs not asked")
        _show_ratio(first, second)
        finder.start_refresh()
        await finder.find_kernels().ordered()
        await asyncio.sleep(1)  # until it has looked
        third = await _search(finder, "once more, kept up to date in the background")
        _show_ratio(first, third)


def _show_ratio(first: float, again: float) -> None:
    print(f"  {'all that is healthy, ratio':44} {again / first:10.3f}  ({first / again:.0f}× faster)")


async def _search(finder: KernelFinder, title: str) -> float:
    start = time.perf_counter()
    search = finder.find_kernels()
    at: list[float] = []
    raised = 0.0
    async for _ in search:
        at.append(time.perf_counter() - start)
        if search.problems and not raised:
            raised = at[-1]
    end = time.perf_counter() - start
    print(f"  {title}: {len(at)} kernel types")
    print(f"  {'the first':44} {seconds(at[0]):>10}")
    print(f"  {'all that is healthy':44} {seconds(at[-1]):>10}")
    print(f"  {'the one that raises is told, at the latest':44} {seconds(raised or end):>10}")
    print(f"  {'the end':44} {seconds(end):>10}")
    for problem in search.problems:
        print(f"    {problem}")
    return at[-1]


async def _ours(data: Path) -> float:
    async with KernelFinder([KernelSpecProvider([data / "kernels"])]) as finder:
        start = time.perf_counter()
        found = [item async for item in finder.find_kernels()]
        elapsed = time.perf_counter() - start
    assert len(found) == KERNELSPECS
    return elapsed


def _peer(data: Path, *, whole: bool) -> float:
    manager = KernelSpecManager(kernel_dirs=[str(data / "kernels")], ensure_native_kernel=False)
    start = time.perf_counter()
    found = manager.get_all_specs() if whole else manager.find_kernel_specs()
    elapsed = time.perf_counter() - start
    assert len(found) == KERNELSPECS
    return elapsed


def _command(data: Path, name: str, *arguments: str) -> float:
    program = Path(sys.executable).with_name(name)
    environment = {**os.environ, "JUPYTER_PATH": str(data)}
    start = time.perf_counter()
    subprocess.run([program, *arguments], env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


async def _show_changes(data: Path, rounds: int) -> None:
    home = data / "kernels" / "new"
    times: dict[str, list[float]] = {"added": [], "removed": []}
    async with KernelFinder([KernelSpecProvider([data / "kernels"])]) as finder:
        changes = finder.changes()
        await finder.find_kernels().ordered()
        finder.start_refresh()
        for number in range(rounds):
            await asyncio.sleep(0.5 + 0.17 * (number % 3))  # at any time between two looks
            for kind in times:
                start = time.perf_counter()
                make_kernelspec(home) if kind == "added" else shutil.rmtree(home)
                while (change := await anext(changes)).kind != kind:
                    pass
                assert change.kernel_type == "spec/new"
                times[kind].append(time.perf_counter() - start)
    print("\na kernelspec until it is in the stream of changes, at most")
    for kind, values in times.items():
        print(f"  {kind:44} {seconds(max(values)):>10}")
