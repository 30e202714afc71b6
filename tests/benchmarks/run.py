"""The benchmarks: ``python tests/benchmarks/run.py [NAME…] [--quick]``.

Each compares with jupyter_client in the same run, in turns, and prints ratios: times differ from machine to
machine and hour to hour, ratios much less. Needs the package installed with its ``test`` extra. ``--quick``
takes fewer rounds, to see that everything works: none takes more than 20 seconds then, so that all of them
run when none is named. At length, ``twenty``, ``thousand`` and ``cycles`` take two to four minutes each;
``cycles.py`` has options of its own.
"""

import argparse
import importlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version

BENCHMARKS = (
    *("packing", "unpacking", "delivery", "queued", "round_trip"),
    *("launching", "forking", "twenty", "thousand", "pool", "importing", "blocked", "deadlines", "orphans"),
    *("cycles", "notebooks", "finding"),
)
PACKAGES = ("jupyter_client", "nbclient", "orjson", "msgspec", "pyzmq", "ipykernel")


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="fewer rounds: about 90 seconds for all")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    print(_describe())
    for name in arguments.names or BENCHMARKS:
        importlib.import_module(name).run(quick=arguments.quick)


def _describe() -> str:
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    system = f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores, load {load}"
    return f"{system}\n{', '.join(f'{name} {_version(name)}' for name in PACKAGES)}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"


if __name__ == "__main__":
    main()
