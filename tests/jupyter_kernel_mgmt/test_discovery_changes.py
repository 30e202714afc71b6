"""A stream of kernel types that come, go and change."""

import asyncio
import gc
import os
import time
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import KernelFinder, KernelProviderBase, KernelTypeChange, KernelTypeInfo
from jupyter_kernel_mgmt.discovery.arrangement import Arrangement
from jupyter_kernel_mgmt.discovery.changes import differences
from jupyter_kernel_mgmt.discovery.refreshing import keep_fresh
from jupyter_kernel_mgmt.discovery.searching import Searcher
from jupyter_kernel_mgmt.discovery.slots import Slot

GUARD = 20


def info(name: str) -> KernelTypeInfo:
    return KernelTypeInfo(display_name=name, language="none")


def test_differences_make_one_set_the_other() -> None:
    before = {"stays": info("a"), "goes": info("b"), "changes": info("c")}
    after = {"comes": info("d"), "changes": info("e"), "stays": info("a")}
    assert list(differences(before, after)) == [
        KernelTypeChange("removed", "goes", info("b")),
        KernelTypeChange("added", "comes", info("d")),
        KernelTypeChange("changed", "changes", info("e")),
    ]
    assert list(differences(after, after)) == []


class Directory(KernelProviderBase):
    """A kernel type for each file in a directory; says what to watch, unless told not to."""

    id = "directory"

    def __init__(self, directory: Path, *, watches: bool = True) -> None:
        self.directory = directory
        self.watches = watches
        self.searches = 0
        self.refreshed = 0
        self.broken = False

    def find_kernels(self) -> Iterable[tuple[str, KernelTypeInfo]]:
        self.searches += 1
        if self.broken:
            raise OSError("the directory is away")
        return [(file.name, info(file.read_text())) for file in sorted(self.directory.iterdir())]

    async def launch(self, name: str, request: Any) -> Any:
        raise NotImplementedError

    def watched(self) -> Iterable[Path] | None:
        return [self.directory, *self.directory.iterdir()] if self.watches else None

    async def refresh(self) -> None:
        self.refreshed += 1


def settle(*paths: Path) -> None:
    """As if they had changed some time ago: what has changed just now is looked at anew each time."""
    for path in paths:
        os.utime(path, (time.time() - 60, time.time() - 60))


async def names(finder: KernelFinder) -> list[str]:
    return [name async for name, _ in finder.find_kernels()]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "one").write_text("One")
    settle(tmp_path / "one", tmp_path)
    return tmp_path


async def test_what_was_found_is_given_again_until_something_changes(directory: Path) -> None:
    provider = Directory(directory)
    async with KernelFinder([provider]) as finder:
        assert await names(finder) == ["directory/one"] == await names(finder)
        assert provider.searches == 1

        (directory / "two").write_text("Two")
        assert await names(finder) == ["directory/one", "directory/two"]
        assert provider.searches == 2
        await names(finder)  # the change is so young that another may have the same time
        assert provider.searches == 3

        settle(directory, directory / "two")
        await names(finder)
        await names(finder)
        assert provider.searches == 4

        await finder.refresh()
        await names(finder)
        assert (provider.refreshed, provider.searches) == (1, 5)


async def test_what_a_process_changes_about_itself_is_seen(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is, and its variables: providers look for kernels by both."""
    provider = Directory(directory)
    async with KernelFinder([provider]) as finder:
        await names(finder)
        monkeypatch.chdir(directory)
        await names(finder)
        assert provider.searches == 2
        monkeypatch.setenv("VIRTUAL_ENV", str(directory))
        await names(finder)
        await names(finder)
        assert provider.searches == 3


async def test_what_does_not_answer_is_left_alone_in_the_background_too(directory: Path) -> None:
    """Nor is it refreshed: then it would be asked at once, time and again."""

    class Hanging(Directory):
        async def find_kernels(self) -> Any:  # type: ignore[override]
            self.searches += 1
            yield "one", info("One")
            if self.searches > 1:
                await asyncio.Event().wait()

    class Counted(Searcher):
        searches = 0

        async def search(self, *args: Any, **options: Any) -> None:
            await super().search(*args, **options)
            self.searches += 1
            if self.searches == 10:
                raise EOFError

    provider = Hanging(directory, watches=False)
    searcher = Counted(Arrangement(), 0.01)
    with pytest.raises(ExceptionGroup):
        await keep_fresh([Slot("directory", provider=provider)], searcher, 0.001, 0.001)
    assert (searcher.searches, provider.searches, provider.refreshed) == (10, 2, 1)


async def test_while_it_is_kept_up_to_date_what_was_found_last_is_given_without_a_look(
    directory: Path,
) -> None:
    """And with one as soon as that has ended."""
    provider = Directory(directory)
    async with asyncio.timeout(GUARD), KernelFinder([provider]) as finder:
        finder.start_refresh(GUARD)
        while not finder._slots[0].kept_fresh:
            assert await names(finder) == ["directory/one"]
        searches = provider.searches
        (directory / "two").write_text("Two")
        assert await names(finder) == ["directory/one"]
        assert provider.searches == searches
        finder.start_refresh(GUARD)
        while provider.searches == searches:
            assert "directory/one" in await names(finder)
        assert await names(finder) == ["directory/one", "directory/two"]


async def test_a_provider_that_watches_nothing_is_asked_each_time(directory: Path) -> None:
    provider = Directory(directory, watches=False)
    async with KernelFinder([provider]) as finder:
        assert await names(finder) == await names(finder) == ["directory/one"]
    assert provider.searches == 2


@pytest.mark.parametrize("watches", [True, False])
async def test_what_comes_changes_and_goes_is_told_to_every_reader(directory: Path, *, watches: bool) -> None:
    """Whether it is seen by the times of files or by searching again."""
    provider = Directory(directory, watches=watches)
    async with asyncio.timeout(GUARD), KernelFinder([provider]) as finder:
        changes, others = finder.changes(), finder.changes()
        await names(finder)
        finder.start_refresh(0.01, unwatched_interval=0.01)

        (directory / "two").write_text("Two")
        assert await anext(changes) == KernelTypeChange("added", "directory/two", info("Two"))
        (directory / "new").write_text("Another")
        (directory / "new").replace(directory / "one")
        told = [await anext(changes)]
        while told[-1].kernel_type != "directory/one":  # "new" may have been seen for a moment
            told.append(await anext(changes))
        assert told[-1] == KernelTypeChange("changed", "directory/one", info("Another"))
        (directory / "two").unlink()
        told = [await anext(changes)]
        while told[-1].kernel_type != "directory/two":
            told.append(await anext(changes))
        assert told[-1] == KernelTypeChange("removed", "directory/two", info("Two"))
        assert (await anext(others)).kind == "added"


async def test_a_search_that_fails_takes_nothing_away(directory: Path) -> None:
    provider = Directory(directory, watches=False)
    async with asyncio.timeout(GUARD), KernelFinder([provider]) as finder:
        changes = finder.changes()
        await names(finder)
        provider.broken = True
        assert await names(finder) == []
        provider.broken = False
        (directory / "two").write_text("Two")
        await names(finder)
        assert await anext(changes) == KernelTypeChange("added", "directory/two", info("Two"))


async def test_streams_end_when_they_are_closed_and_with_the_finder(directory: Path) -> None:
    finder = KernelFinder([Directory(directory)])
    closed, left = finder.changes(), finder.changes()
    finder.start_refresh(0.01)
    finder.start_refresh(0.02)
    closed.close()
    assert [change async for change in closed] == []
    reading = asyncio.ensure_future(anext(left, None))
    await finder.aclose()
    async with asyncio.timeout(GUARD):
        assert await reading is None
        assert [change async for change in finder.changes()] == []


async def test_a_closed_finder_searches_no_more(directory: Path) -> None:
    """Nobody would end what it began; an unknown kernel type is still told, for kernels that go on."""
    finder = KernelFinder([Directory(directory)])
    await finder.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        finder.find_kernels()
    with pytest.raises(RuntimeError, match="closed"):
        finder.start_refresh()


async def test_refreshing_anew_takes_the_place_of_what_was_there(directory: Path) -> None:
    """However often, and at once; hidden providers are left alone."""
    provider, hidden = Directory(directory), Directory(directory)
    hidden.id = "hidden"
    config = {"finder": {"hide": ["hidden/*"]}}
    async with asyncio.timeout(GUARD), KernelFinder([provider, hidden], config=config) as finder:
        changes = finder.changes()
        await names(finder)
        for _ in range(3):
            finder.start_refresh(0.01)
        (directory / "two").write_text("Two")
        assert (await anext(changes)).kernel_type == "directory/two"
        assert hidden.searches == 0


async def test_what_is_hidden_makes_no_changes_and_names_are_those_shown(directory: Path) -> None:
    provider = Directory(directory)
    config = {"finder": {"hide": ["directory/secret*"], "rename": {"directory/two": "Renamed"}}}
    async with asyncio.timeout(GUARD), KernelFinder([provider], config=config) as finder:
        changes = finder.changes()
        await names(finder)
        (directory / "secret").write_text("Hidden")
        (directory / "two").write_text("Two")
        assert await names(finder) == ["directory/one", "directory/two"]
        assert await anext(changes) == KernelTypeChange("added", "directory/two", info("Renamed"))


class Gated(KernelProviderBase):
    """The first search finds nothing, the others each what they are let to find, when they are let."""

    id = "gated"

    def __init__(self, *, watches: bool = False) -> None:
        self.gates: list[asyncio.Future[list[str]]] = []
        self.begun = asyncio.Semaphore(0)
        self.watches = watches

    async def find_kernels(self) -> Any:
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        self.begun.release()
        for name in await gate:
            yield name, info(name)

    async def launch(self, name: str, request: Any) -> Any:
        raise NotImplementedError

    def watched(self) -> Iterable[Path] | None:
        return [] if self.watches else None


async def searching(finder: KernelFinder, provider: Gated) -> "asyncio.Task[list[str]]":
    """A search that has begun."""
    task = asyncio.ensure_future(names(finder))
    await provider.begun.acquire()
    return task


@pytest.mark.parametrize("apart", [True, False])
async def test_searches_at_once_tell_a_change_once(*, apart: bool) -> None:
    """And what the older one found does not take the place of what the newer one did."""
    provider = Gated()
    async with asyncio.timeout(GUARD), KernelFinder([provider]) as finder:
        first = await searching(finder, provider)
        provider.gates[0].set_result([])
        await first
        changes = finder.changes()
        both = [await searching(finder, provider), await searching(finder, provider)]
        provider.gates[2].set_result(["same", "new"])
        if apart:
            await both[1]
        provider.gates[1].set_result(["same"] if apart else ["same", "new"])
        await asyncio.gather(*both)
        changes.close()
        told = [(change.kind, change.kernel_type) async for change in changes]
    assert sorted(told) == [("added", "gated/new"), ("added", "gated/same")]


async def test_a_refresh_during_a_search_counts_after_it() -> None:
    """What began before it is not what later searches are answered from."""
    provider = Gated(watches=True)
    async with asyncio.timeout(GUARD), KernelFinder([provider]) as finder:
        search = await searching(finder, provider)
        await finder.refresh()
        provider.gates[0].set_result(["old"])
        await search
        search = await searching(finder, provider)
        provider.gates[1].set_result(["new"])
        assert await search == ["gated/new"]
        assert await names(finder) == ["gated/new"]


async def test_a_provider_that_fails_while_it_is_kept_up_to_date_is_a_problem(directory: Path) -> None:
    """What it found last would hide that."""
    provider = Directory(directory)
    async with asyncio.timeout(GUARD), KernelFinder([provider]) as finder:
        finder.start_refresh(0.01)
        while not finder._slots[0].kept_fresh:
            await names(finder)
        provider.broken = True
        (directory / "two").write_text("Two")
        while await names(finder):
            pass
        search = finder.find_kernels()
        assert await search.ordered() == {}
        assert [problem.provider for problem in search.problems] == ["directory"]


async def test_a_cancellation_within_a_provider_does_not_end_keeping_it_up_to_date() -> None:
    provider = Gated()
    async with asyncio.timeout(GUARD), KernelFinder([provider]) as finder:
        finder.start_refresh(0.01, unwatched_interval=0.01)
        await provider.begun.acquire()
        provider.gates[0].cancel()
        await provider.begun.acquire()


async def test_a_stream_that_nobody_has_any_more_is_not_kept() -> None:
    """It would fill up."""
    async with KernelFinder([]) as finder:
        stream = weakref.ref(finder.changes())
        gc.collect()
        assert stream() is None
