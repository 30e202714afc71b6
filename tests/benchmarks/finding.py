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
from jupyter_kernel_mgmt.providers.environments.places import Places

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
            "all of the two that are healthy",
            {
                "once more, kept up to date in the background": side(
                    lambda: _again(data, environments, in_background=True)
                ),
                "once more": side(lambda: _again(data, environments)),
                "a new finder": side(lambda: _first(data, environments)),
            },
            rounds=rounds,
        )
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


def _healthy(data: Path, environments: Path) -> list[KernelProviderBase]:
    # Those of whoever runs this are not counted.
    provider = EnvironmentsProvider(lambda **given: Places(home=None, cwd=None, **given))
    provider.load_config({"roots": [str(environments)]})
    return [KernelSpecProvider([data / "kernels"]), provider]


async def _show_one_search(data: Path, environments: Path) -> None:
    print(f"\n{KERNELSPECS} kernelspecs, {ENVIRONMENTS} environments, one that hangs, one that raises")
    providers = [*_healthy(data, environments), Hangs(), Raises()]
    async with KernelFinder(providers, search_timeout=LIMIT) as finder:
        await _search(finder, "a new finder")
        await _search(finder, "once more, the one that hangs not asked")


async def _first(data: Path, environments: Path) -> float:
    async with KernelFinder(_healthy(data, environments)) as finder:
        return await _until_all(finder)


async def _again(data: Path, environments: Path, *, in_background: bool = False) -> float:
    async with KernelFinder(_healthy(data, environments)) as finder:
        await _until_all(finder)
        if in_background:
            finder.start_refresh()
            await asyncio.sleep(0.2)  # until it has looked once
        return await _until_all(finder)


async def _until_all(finder: KernelFinder) -> float:
    start = time.perf_counter()
    found = [item async for item in finder.find_kernels()]
    elapsed = time.perf_counter() - start
    assert len(found) == KERNELSPECS + ENVIRONMENTS
    return elapsed


async def _search(finder: KernelFinder, title: str) -> None:
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
    # Both as installed, with compiled modules, whatever is set here.
    environment = {**os.environ, "JUPYTER_PATH": str(data), "PYTHONPYCACHEPREFIX": str(data / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
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
