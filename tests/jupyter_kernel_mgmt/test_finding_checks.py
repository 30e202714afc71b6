"""What `check_provider` says of broken promises about options, files and what cannot be launched."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    BlockingProviderBase,
    KernelTypeInfo,
    Launched,
    LaunchError,
    LaunchRequest,
    NoSuchResource,
    Unsupported,
)
from jupyter_kernel_mgmt.testing import FakeProvider, check_provider

SHORT = 0.2
"""Seconds after which what hangs is given up."""

HANGING = frozenset({"HangingRefresh", "FailsLate"})
LOGO = {"logo.svg": b"<svg/>"}
OBSTACLES = {"broken": "it needs R: install it, and try again"}


async def test_a_provider_with_files_and_obstacles_may_be_good() -> None:
    """Such as the fake, which launches the first type that can be launched."""
    provider = FakeProvider(names=["broken", "kernel"], files=LOGO, obstacles=OBSTACLES)
    await check_provider(provider, timeout=20)
    assert provider.launches
    assert (provider.names, provider.files) == (("broken", "kernel"), LOGO)


async def test_paths_that_are_watched_may_be_good() -> None:
    """Whether they exist or not."""

    class Watching(FakeProvider):
        def watched(self) -> Any:
            yield Path("/no/such/directory")
            yield Path()

    await check_provider(Watching(), timeout=20)


async def test_options_that_are_known_may_be_good() -> None:
    """What is unknown is refused, with a text that begins with its name."""

    class Careful(FakeProvider):
        def load_config(self, config: Mapping[str, Any]) -> None:
            for name in config:
                raise TypeError(f"{name} must be a number")

    await check_provider(Careful(), timeout=20)


# Wrong in one way each


class TakesAnyOption(FakeProvider):
    def load_config(self, config: Mapping[str, Any]) -> None:
        self.options = dict(config)


class NamesNoOption(FakeProvider):
    def load_config(self, config: Mapping[str, Any]) -> None:
        raise ValueError("unknown option")


class OptionKeyError(FakeProvider):
    def load_config(self, config: Mapping[str, Any]) -> None:
        raise KeyError(next(iter(config)))


class LosesTypes(FakeProvider):
    async def refresh(self) -> None:
        self.names = ()


class HangingRefresh(FakeProvider):
    async def refresh(self) -> None:
        await for_ever()


class WatchesOnePath(FakeProvider):
    def watched(self) -> Any:
        return Path("/")


class WatchesText(FakeProvider):
    def watched(self) -> Any:
        return ["/usr"]


class WatchesWhatIsNot(FakeProvider):
    def watched(self) -> Any:
        return list(Path("/no/such/directory").stat())


class WithFiles(FakeProvider):
    def __init__(self) -> None:
        super().__init__(files=LOGO)


class OneName(WithFiles):
    async def resources(self, name: str) -> Sequence[str]:
        return "logo.svg"


class NamesPaths(WithFiles):
    async def resources(self, name: str) -> Any:
        return [Path("logo.svg")]


class NamesTooMany(WithFiles):
    async def resources(self, name: str) -> Sequence[str]:
        return ["logo.svg", "logo-64x64.png"]


class InfoNamesTooMany(FakeProvider):
    def find_kernels(self) -> Any:
        yield "kernel", KernelTypeInfo(display_name="Kernel", language="none", resources=("logo.svg",))


class GivesText(WithFiles):
    async def resource(self, name: str, filename: str) -> Any:
        return (await super().resource(name, filename)).decode()


class FileKeyError(WithFiles):
    async def resource(self, name: str, filename: str) -> bytes:
        return self.files[filename]


class GivesAnything(WithFiles):
    async def resource(self, name: str, filename: str) -> bytes:
        return b""


class LeavesTheDirectory(WithFiles):
    async def resource(self, name: str, filename: str) -> bytes:
        if filename in self.files:
            return self.files[filename]
        try:
            return (Path(__file__).parent / filename).read_bytes()
        except OSError:
            raise NoSuchResource(name, filename) from None


class ClimbsUp(LeavesTheDirectory):
    async def resource(self, name: str, filename: str) -> bytes:
        if Path(filename).is_absolute():
            raise NoSuchResource(name, filename)
        return await super().resource(name, filename)


class FilesOfAnyType(WithFiles):
    async def resources(self, name: str) -> Sequence[str]:
        return tuple(self.files)


class FilesTypeError(WithFiles):
    async def resources(self, name: str) -> Sequence[str]:
        return {"kernel": tuple(self.files)}[name]


class WithObstacle(FakeProvider):
    def __init__(self) -> None:
        super().__init__(names=["kernel", "broken"], obstacles=OBSTACLES)


class LaunchesTheBroken(WithObstacle):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        self.obstacles.clear()
        return await super().launch(name, request)


class SaysNothing(WithObstacle):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name == "broken":
            raise LaunchError("failed")
        return await super().launch(name, request)


class FailsSomehow(WithObstacle):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name == "broken":
            raise FileNotFoundError(2, "No such file or directory")
        return await super().launch(name, request)


class FailsLate(WithObstacle):
    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        if name == "broken":
            await for_ever()
        return await super().launch(name, request)


async def for_ever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (TakesAnyOption, r"refuse options that there are not in load_config\(\): it took 'no_such_option'"),
        (
            NamesNoOption,
            r"begin the error of load_config\(\) with the option's name.* it is 'unknown option'",
        ),
        (OptionKeyError, r"raise ValueError or TypeError from load_config\(\) .*, not KeyError"),
        (LosesTypes, r"find the same after refresh\(\): first \['kernel'\], then \[\]"),
        (HangingRefresh, r"make refresh\(\) end"),
        (WatchesOnePath, r"return several paths from watched\(\), not a single one"),
        (WatchesText, r"return paths from watched\(\), each a pathlib.Path, not '/usr'"),
        (WatchesWhatIsNot, r"let watched\(\) raise nothing, .* it raised FileNotFoundError"),
        (OneName, r"return a sequence of file names from resources\(\), not 'logo.svg'"),
        (NamesPaths, r"return a sequence of file names from resources\(\), not \["),
        (NamesTooMany, r"give 'logo-64x64.png' in resource\(\), or do not name it for 'kernel'"),
        (InfoNamesTooMany, r"give 'logo.svg' in resource\(\), or do not name it for 'kernel'"),
        (GivesText, r"return bytes from resource\(\), not a str"),
        (FileKeyError, r"raise NoSuchResource from resource\(\) where there is none; it raised KeyError"),
        (GivesAnything, r"raise NoSuchResource from resource\(\) for what resources\(\) does not name"),
        (LeavesTheDirectory, r"for '[^.].*/_finding_checks.py' it gave a content"),
        (ClimbsUp, r"for '\.\./.*/_finding_checks.py' it gave a content"),
        (FilesOfAnyType, r"raise NoSuchKernel from resources\(\) for an unknown name; it gave names"),
        (FilesTypeError, r"raise NoSuchKernel from resources\(\) for an unknown name, not KeyError"),
        (LaunchesTheBroken, "give 'broken' no obstacle: it was launched all the same"),
        (SaysNothing, "say in the error .* why 'broken' cannot be launched .* the error is 'failed'"),
        (FailsSomehow, "raise LaunchError or Unsupported from .*'broken'.*, not FileNotFoundError"),
        (FailsLate, r"make launch\(\) of 'broken', which has an obstacle, end"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_broken_promise_is_named(kind: Callable[[], FakeProvider], text: str) -> None:
    """With what to do."""
    provider = kind()
    with pytest.raises(AssertionError, match=text):
        await check_provider(provider, timeout=SHORT if kind.__name__ in HANGING else 20)
    assert all(manager.closed for manager in provider.managers)


async def test_a_promise_that_a_blocking_provider_breaks_is_named() -> None:
    """In the same words."""

    class Blocking(BlockingProviderBase):
        id = "blocking"

        def find_kernels(self) -> Any:
            yield "kernel", KernelTypeInfo(display_name="Kernel", language="none")

        def launch(self, name: str, request: LaunchRequest) -> Launched:
            raise Unsupported("launch", "it is not asked to")

        def resources(self, name: str) -> Sequence[str]:
            return ["logo.svg"] if name == "kernel" else []

        def resource(self, name: str, filename: str) -> bytes:
            if filename == "logo.svg":
                return b"<svg/>"
            raise NoSuchResource(name, filename)

    with pytest.raises(AssertionError, match=r"raise NoSuchKernel from resources\(\)"):
        await check_provider(Blocking(), timeout=20)


async def test_an_obstacle_is_checked_also_of_the_type_that_is_named() -> None:
    """What can be launched has none, and what cannot is none to be checked with."""

    class Launches(FakeProvider):
        def find_kernels(self) -> Any:
            yield "kernel", KernelTypeInfo(display_name="K", language="x", obstacle="it needs R: install it")

    with pytest.raises(AssertionError, match="give 'kernel' no obstacle"):
        await check_provider(Launches(), kernel_name="kernel", timeout=20)
    provider = FakeProvider(names=["broken", "kernel"], obstacles=OBSTACLES)
    with pytest.raises(AssertionError, match="'broken' has an obstacle, it needs R"):
        await check_provider(provider, kernel_name="broken", timeout=20)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("argv", "python -m x"),
        ("argv", None),
        ("argv", (Path("python"),)),
        ("prefix", Path("/x")),
        ("language", None),
    ],
)
async def test_what_is_told_of_a_type_has_the_right_types(field: str, value: Any) -> None:
    """Others take it apart."""

    class Odd(FakeProvider):
        def find_kernels(self) -> Any:
            yield "kernel", KernelTypeInfo(**{"display_name": "K", "language": "x", field: value})

    with pytest.raises(AssertionError, match=f"give the kernel type 'kernel' an? {field} that is"):
        await check_provider(Odd(), timeout=20)
