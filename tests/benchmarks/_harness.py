"""Measuring in turns (A B A B …), so that whatever else the machine does falls on all sides alike."""

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

Side = Callable[[], float]
"""Runs one round and returns what was measured: seconds, unless the table says otherwise."""

WIDTH = 44


@contextmanager
def in_loop() -> Iterator[Callable[[Callable[[], Awaitable[float]]], Side]]:
    """A function that makes a `Side` of an async one; all of them run in one loop, as in an application."""
    with asyncio.Runner() as runner:

        def blocking(side: Callable[[], Awaitable[float]]) -> Side:
            async def run() -> float:
                return await side()

            return lambda: runner.run(run())

        yield blocking


def compare(
    title: str,
    sides: Mapping[str, Side],
    *,
    rounds: int,
    warm_up: int = 1,
    show: Callable[[float], str] | None = None,
) -> None:
    """Run all sides in turns and print a table. The ratio is of the first side to each of the others.

    Each ratio is the median of the ratios of the rounds, and not that of two medians.
    """
    table(title, interleave(sides, rounds=rounds, warm_up=warm_up), show=show)


def table(
    title: str, samples: Mapping[str, list[float]], *, show: Callable[[float], str] | None = None
) -> None:
    """Print what was measured; see `compare`. A round in which a side failed is NaN, and only counted."""
    show = show or seconds
    first, *_ = samples
    print(f"\n{title}  (rounds: {len(samples[first])})")
    print(f"  {'':{WIDTH}} {'min':>10} {'median':>10}   {first} / this")
    for name, values in samples.items():
        good = [value for value in values if not isnan(value)]
        lowest, middle = (show(min(good)), show(median(good))) if good else ("–", "–")
        ratio = "" if name == first or not good else ratio_text(samples[first], values)
        failed = "" if len(good) == len(values) else f"  (failed in {len(values) - len(good)})"
        print(f"  {name:{WIDTH}} {lowest:>10} {middle:>10}   {ratio}{failed}", flush=True)


def interleave(sides: Mapping[str, Side], *, rounds: int, warm_up: int = 1) -> dict[str, list[float]]:
    """What each side measured in each round; the first rounds only warm up."""
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        for name, side in sides.items():
            gc.collect()
            value = side()
            if number >= warm_up:
                samples[name].append(value)
    return samples


def ratio_text(ours: list[float], others: list[float]) -> str:
    """The median of the ratios, with how many times that is faster where it is much. NaN is left out."""
    ratio = median(a / b for a, b in zip(ours, others, strict=True) if not isnan(b))
    return f"{ratio:.2f}  ({1 / ratio:.1f}× faster)" if ratio < 0.67 else f"{ratio:.2f}"


def per_call(function: Callable[[], object], count: int) -> float:
    """Seconds that one call takes, on average of many."""
    start = time.perf_counter()
    for _ in range(count):
        function()
    return (time.perf_counter() - start) / count


def seconds(value: float) -> str:
    """A time in the unit that suits it."""
    if value < 1e-3:
        return f"{value * 1e6:.1f} µs"
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def per_second(value: float) -> str:
    """The time that one takes, as a rate."""
    return f"{1 / value:,.0f}/s"


def megabytes(value: float) -> str:
    """A size in megabytes."""
    return f"{value:.1f} MB"


@contextmanager
def private_directories() -> Iterator[Path]:
    """Keep what kernels and clients write out of the user's own directories."""
    names = ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    before = {name: os.environ.get(name) for name in names}
    with TemporaryDirectory(prefix="bench-") as directory:
        for name in names:
            path = Path(directory, name.lower())
            path.mkdir(mode=0o700)
            os.environ[name] = str(path)
        try:
            yield Path(directory)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
