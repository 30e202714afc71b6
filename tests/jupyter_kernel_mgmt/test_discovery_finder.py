"""Finding kernel types through providers, good ones and bad ones."""

import asyncio
import contextlib
import contextvars
import gc
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    BlockingProviderBase,
    KernelFinder,
    KernelProviderBase,
    KernelTypeInfo,
    Launched,
    LaunchError,
    LaunchRequest,
    NoSuchKernel,
    NoSuchProvider,
    NoSuchResource,
    Unsupported,
    connect,
    discovery,
    find_kernels,
    launch,
)
from jupyter_kernel_mgmt.discovery import split_kernel_type
from jupyter_kernel_mgmt.discovery.slots import Slot
from jupyter_kernel_mgmt.testing import FakeProvider

GUARD = 20


def info(name: str) -> KernelTypeInfo:
    return KernelTypeInfo(display_name=name, language="none")


class Searching(KernelProviderBase):
    """Finds what a callable yields."""

    def __init__(self, provider_id: str, search: Callable[[], Any]) -> None:
        self.id = provider_id
        self.search = search
        self.closed = 0

    def find_kernels(self) -> Any:
        return self.search()

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        raise NoSuchKernel(name, searched=[f"nowhere in {self.id}"])

    async def aclose(self) -> None:
        self.closed += 1


async def names(finder: KernelFinder) -> tuple[list[str], dict[str, str]]:
    """What a search finds, and its problems."""
    search = finder.find_kernels()
    found = [name async for name, _ in search]
    return found, {problem.provider: problem.text for problem in search.problems}


async def test_kinds_of_searches() -> None:
    """Async generators, ordinary ones, lists, and async iterators that are no generators."""

    async def generator() -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        yield "a", info("a")

    def ordinary() -> Iterator[tuple[str, KernelTypeInfo]]:
        yield "b", info("b")

    class ByHand:
        def __init__(self) -> None:
            self.left = ["c", "d"]

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> tuple[str, KernelTypeInfo]:
            if not self.left:
                raise StopAsyncIteration
            return self.left[0], info(self.left.pop(0))

    searches = {"one": generator, "two": ordinary, "three": ByHand, "four": lambda: [("e", info("e"))]}
    async with KernelFinder(Searching(key, search) for key, search in searches.items()) as finder:
        found, problems = await names(finder)

    assert sorted(found) == ["four/e", "one/a", "three/c", "three/d", "two/b"]
    assert problems == {}


async def test_providers_search_at_the_same_time() -> None:
    """Each waits here for the other to have begun; what is found first comes first."""
    begun = {"one": asyncio.Event(), "two": asyncio.Event()}

    def search(mine: str, other: str) -> Callable[[], AsyncIterator[tuple[str, KernelTypeInfo]]]:
        async def find() -> AsyncIterator[tuple[str, KernelTypeInfo]]:
            begun[mine].set()
            async with asyncio.timeout(GUARD):
                await begun[other].wait()
            yield "kernel", info("kernel")

        return find

    providers = [Searching("one", search("one", "two")), Searching("two", search("two", "one"))]
    async with KernelFinder(providers) as finder:
        found, problems = await names(finder)

    assert sorted(found) == ["one/kernel", "two/kernel"]
    assert problems == {}


async def test_what_is_found_comes_before_the_search_has_ended() -> None:
    """A slow provider holds up nobody."""
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        await go_on.wait()
        yield "late", info("late")

    async with KernelFinder([Searching("slow", slow), FakeProvider()]) as finder:
        search = finder.find_kernels()
        assert (await anext(search))[0] == "fake/kernel"
        go_on.set()
        assert [name async for name, _ in search] == ["slow/late"]
        assert [name async for name, _ in search] == []


async def test_bad_providers_are_problems_and_hide_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """One that raises at once, one after its first find, one that hangs, one that yields nonsense."""

    async def raises() -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        yield "before", info("before")
        raise OSError("the disk is gone")

    def at_once() -> Any:
        raise ValueError("never worked")

    async def hangs() -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        yield "quick", info("quick")
        await asyncio.Event().wait()

    providers = [
        Searching("raises", raises),
        Searching("at-once", at_once),
        Searching("hangs", hangs),
        Searching("nonsense", lambda: [1, 2]),
        Searching("none", lambda: None),
        FakeProvider(),
    ]
    async with KernelFinder(providers, search_timeout=0.05) as finder:
        found, problems = await names(finder)

    assert sorted(found) == ["fake/kernel", "hangs/quick", "raises/before"]
    assert problems.keys() == {"raises", "at-once", "hangs", "nonsense", "none"}
    assert problems["raises"] == "OSError: the disk is gone"
    assert problems["at-once"] == "ValueError: never worked"
    assert problems["hangs"] == "gave no answer within 0.05 s"


async def test_what_goes_wrong_in_the_same_way_again_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """It may be searched twice a second; in each search it is a problem."""
    errors: list[Exception | None] = [
        ValueError("a"),
        ValueError("a"),
        ValueError("b"),
        None,
        ValueError("b"),
    ]

    def search() -> Any:
        error = errors.pop(0)
        if error is not None:
            raise error
        return []

    async with KernelFinder([Searching("bad", search)]) as finder:
        problems = [(await names(finder))[1].get("bad") for _ in range(len(errors))]
    assert problems == ["ValueError: a", "ValueError: a", "ValueError: b", None, "ValueError: b"]
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["a", "b", "b"]


async def test_a_blocking_provider_that_hangs_is_a_problem_too() -> None:
    """Its thread is left to itself."""
    let_go = threading.Event()

    class Hangs(BlockingProviderBase):
        id = "hangs"

        def find_kernels(self) -> list[tuple[str, KernelTypeInfo]]:
            assert let_go.wait(GUARD)
            return []

        def launch(self, name: str, request: LaunchRequest) -> Launched:
            raise NotImplementedError

    async with KernelFinder([Hangs(), FakeProvider()], search_timeout=0.05) as finder:
        found, problems = await names(finder)
    let_go.set()

    assert found == ["fake/kernel"]
    assert list(problems) == ["hangs"]


async def test_a_providers_own_time_out_is_its_error() -> None:
    """And not ours, whose text would mislead."""

    def search() -> Any:
        raise TimeoutError("the cluster did not answer")

    async with KernelFinder([Searching("slow", search)]) as finder:
        _, problems = await names(finder)

    assert "the cluster did not answer" in problems["slow"]


async def test_a_problem_reads_as_a_sentence_and_keeps_its_error() -> None:
    """For logs and for programs."""
    error = OSError("the disk is gone")

    def search() -> Any:
        raise error

    async with KernelFinder([Searching("bad", search)]) as finder:
        found = finder.find_kernels()
        assert [item async for item in found] == []
        [problem] = found.problems

    assert str(problem) == "provider 'bad': OSError: the disk is gone"
    assert problem.error is error


async def test_without_providers_nothing_is_found() -> None:
    """And the search ends."""
    async with KernelFinder() as finder:
        assert await names(finder) == ([], {})


async def test_a_search_that_is_given_up_closes_the_providers_generators() -> None:
    """At the latest when the finder is closed."""
    ended: list[str] = []

    async def search() -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        try:
            yield "a", info("a")
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    async with KernelFinder([Searching("one", search)]) as finder:
        assert (await anext(finder.find_kernels()))[0] == "one/a"
        assert ended == []

    assert ended == ["ended"]


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_time_limit_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="search_timeout must be"):
        KernelFinder([], search_timeout=timeout)


async def test_what_is_no_record_is_not_adopted() -> None:
    async with KernelFinder([FakeProvider()]) as finder:
        for record in ("text", None, [1], {}, {"kernel_type": 3}):
            with pytest.raises(ValueError, match="record"):
                await finder.adopt(record)  # type: ignore[arg-type]


def test_two_providers_of_one_id_are_refused() -> None:
    """Nobody could tell them apart."""
    with pytest.raises(ValueError, match="'fake'"):
        KernelFinder([FakeProvider(), FakeProvider()])


# Launching


@pytest.mark.parametrize(
    ("kernel_type", "parts"),
    [
        ("spec/python3", ("spec", "python3")),
        ("python3", ("spec", "python3")),
        ("a/b/c", ("a", "b/c")),
        ("a/", ("a", "")),
    ],
)
def test_a_name_without_a_slash_belongs_to_spec(kernel_type: str, parts: tuple[str, str]) -> None:
    """As in every notebook."""
    assert split_kernel_type(kernel_type) == parts


async def test_launching_reaches_the_provider_with_name_and_request() -> None:
    """Unchanged."""
    provider = FakeProvider(names=["a", "b"])
    request = LaunchRequest()
    async with KernelFinder([FakeProvider(id="other"), provider]) as finder:
        launched = await finder.launch("fake/b", request)
        assert provider.launches == [request]
        assert launched.manager is provider.managers[0]
        assert launched.channels is not None
        await launched.channels.aclose()
        await provider.managers[0].aclose()


async def test_an_unknown_name_is_answered_with_near_ones_of_all_providers() -> None:
    """And with where the provider looked."""
    providers = [FakeProvider(names=["python3"]), Searching("spec", lambda: [("python3", info("x"))])]
    async with KernelFinder(providers) as finder:
        with pytest.raises(NoSuchKernel) as caught:
            await finder.launch("pyton3", LaunchRequest())

    error = caught.value
    assert error.kernel_type == "pyton3"
    assert set(error.known) == {"fake/python3", "spec/python3"}
    assert set(error.suggestions) <= set(error.known)
    assert error.suggestions
    assert error.searched == ("nowhere in spec",)


async def test_finding_near_names_does_not_wait_for_a_provider_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the others know is enough."""
    monkeypatch.setattr(discovery.finder, "NEAR_NAMES_TIMEOUT", 0.3)

    async def hangs() -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        await asyncio.Event().wait()
        yield "never", info("never")

    async with KernelFinder([Searching("hangs", hangs), FakeProvider()]) as finder:
        with pytest.raises(NoSuchKernel) as caught:
            await finder.launch("fake/kernle", LaunchRequest())

    assert caught.value.suggestions == ["fake/kernel"]


async def test_an_unknown_provider_is_answered_with_those_there_are() -> None:
    """By id."""
    async with KernelFinder([FakeProvider(id="one"), FakeProvider(id="two")]) as finder:
        with pytest.raises(NoSuchProvider, match=r"'three'.*one, two"):
            await finder.launch("three/kernel", LaunchRequest())
    async with KernelFinder() as finder:
        with pytest.raises(NoSuchProvider, match="none at all"):
            await finder.launch("three/kernel", LaunchRequest())


async def test_other_refusals_pass_unchanged() -> None:
    """The provider's own words."""
    async with KernelFinder([FakeProvider()]) as finder:
        with pytest.raises(Unsupported, match=r"launch_params: .*'colour'"):
            await finder.launch("fake/kernel", LaunchRequest(launch_params={"colour": 1}))


# Closing


async def test_closing_closes_every_provider_once_even_if_one_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What fails is logged."""

    class Bad(Searching):
        async def aclose(self) -> None:
            raise OSError("cannot close")

    good = FakeProvider()
    async with KernelFinder([Bad("bad", list), good]):
        pass

    assert good.closed == 1
    assert "cannot close" in caplog.text


async def test_closing_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A provider that hangs is left behind with a warning."""
    monkeypatch.setattr(discovery.finder, "CLOSE_TIMEOUT", 0.05)

    class Hangs(Searching):
        async def aclose(self) -> None:
            await asyncio.Event().wait()

    finder = KernelFinder([Hangs("hangs", list)])
    await finder.aclose()

    assert "did not close" in caplog.text


async def test_closing_leaves_kernels_alone() -> None:
    """They were handed over."""
    provider = FakeProvider()
    async with KernelFinder([provider]) as finder:
        launched = await finder.launch("fake/kernel", LaunchRequest())
    assert await provider.managers[0].is_alive()

    assert launched.channels is not None
    await launched.channels.aclose()
    await provider.managers[0].aclose()


# Entry points


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a distribution with modules and entry points, as far as discovery can tell."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(points: dict[str, str], **modules: str) -> None:
        directory = tmp_path / "pretended-1.0.dist-info"
        directory.mkdir()
        (directory / "METADATA").write_text("Metadata-Version: 2.1\nName: pretended\nVersion: 1.0\n")
        lines = ["[jupyter_kernel_mgmt.kernel_type_providers]", *(f"{k} = {v}" for k, v in points.items())]
        (directory / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for name, source in modules.items():
            (tmp_path / f"{name}.py").write_text(source)

    return install


IMPORT = "from jupyter_kernel_mgmt.testing import FakeProvider\n"


async def test_entry_points_are_loaded_when_they_are_needed(installed: Any) -> None:
    """One that raises on import, lacks something, or is called otherwise is a problem, and only of itself."""
    installed(
        {
            "u-fake": "u_good:make",
            "u-raises": "u_raises:Provider",
            "u-missing": "u_no_such_module:Provider",
            "u-attribute": "u_good:Nothing",
            "u-lacking": "u_good:Lacking",
            "u-other-name": "u_good:make",
        },
        u_good=IMPORT
        + "from jupyter_kernel_mgmt import KernelProviderBase\n"
        + "def make(): return FakeProvider(id='u-fake')\n"
        + "class Lacking(KernelProviderBase): id = 'u-lacking'\n",
        u_raises="raise RuntimeError('half installed')\n",
    )
    async with KernelFinder.from_entrypoints() as finder:
        found, problems = await names(finder)

        assert "u-fake/kernel" in found
        assert "half installed" in problems["u-raises"]
        assert "u_no_such_module" in problems["u-missing"]
        assert "Nothing" in problems["u-attribute"]
        assert "lacks find_kernels and launch" in problems["u-lacking"]
        assert "'u-fake'" in problems["u-other-name"]
        with pytest.raises(NoSuchProvider, match="half installed") as caught:
            await finder.launch("u-raises/kernel", LaunchRequest())
        assert isinstance(caught.value.__cause__, RuntimeError)


async def test_an_import_that_hangs_hides_nobody(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It happens in a thread of its own, and a launch does not wait for it with others."""
    let_go = threading.Event()
    monkeypatch.setattr(discovery, "_test_gate", let_go, raising=False)
    installed(
        {"v-hangs": "v_hangs:Provider", "v-fake": "v_good:make"},
        v_hangs="from jupyter_kernel_mgmt import discovery\ndiscovery._test_gate.wait(20)\nProvider = None\n",
        v_good=IMPORT + "def make(): return FakeProvider(id='v-fake')\n",
    )
    try:
        async with KernelFinder.from_entrypoints(search_timeout=1) as finder:
            found, problems = await names(finder)
    finally:
        let_go.set()

    assert "v-fake/kernel" in found
    assert "gave no answer" in problems["v-hangs"]


async def test_a_name_that_two_distributions_take_is_one_provider(installed: Any) -> None:
    """The finder has each id once."""
    installed({"spec": "w_good:make"}, w_good=IMPORT + "def make(): return FakeProvider(id='spec')\n")
    async with KernelFinder.from_entrypoints() as finder:
        found, _ = await names(finder)

    assert found.count("spec/kernel") <= 1


# The shared finder


@pytest.fixture
def finders(monkeypatch: pytest.MonkeyPatch) -> list[KernelFinder]:
    """The finders that are made where nobody gives one."""
    made: list[KernelFinder] = []

    def make() -> KernelFinder:
        finder = KernelFinder([FakeProvider()])
        made.append(finder)
        return finder

    monkeypatch.setattr(KernelFinder, "from_entrypoints", make)
    return made


def provider_of(finder: KernelFinder) -> FakeProvider:
    provider = finder._slots[0].provider
    assert isinstance(provider, FakeProvider)
    return provider


async def test_one_finder_is_shared_and_closed_with_the_last_kernel(finders: list[KernelFinder]) -> None:
    """Whichever that is; the next launch makes a new one."""
    first, second = await launch("fake/kernel"), await launch("fake/kernel")
    assert [name async for name, _ in find_kernels()] == ["fake/kernel"]
    assert len(finders) == 1
    await first.aclose()
    assert provider_of(finders[0]).closed == 0
    await second.aclose()
    await second.aclose()
    assert provider_of(finders[0]).closed == 1

    async with launch("fake/kernel"):
        assert len(finders) == 2
    assert provider_of(finders[1]).closed == 1


async def test_a_failed_launch_lets_go_of_the_shared_finder(finders: list[KernelFinder]) -> None:
    """Whatever failed, and when it is cancelled."""
    with pytest.raises(NoSuchKernel):
        await launch("fake/unknown")
    with pytest.raises(NoSuchProvider):
        await launch("unknown/kernel")
    task = asyncio.create_task(launch("fake/kernel"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert len(finders) == 3
    assert [provider_of(finder).closed for finder in finders] == [1, 1, 1]


def test_each_loop_has_its_own_shared_finder(finders: list[KernelFinder]) -> None:
    """A finder belongs to one loop."""

    async def main() -> None:
        async with launch("fake/kernel"):
            pass

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
    assert len(finders) == 2
    assert [provider_of(finder).closed for finder in finders] == [1, 1]


async def test_find_kernels_logs_problems(caplog: pytest.LogCaptureFixture) -> None:
    """It has no other way to tell."""

    def search() -> Any:
        raise ValueError("never worked")

    async with KernelFinder([Searching("bad", search), FakeProvider()]) as finder:
        with caplog.at_level(logging.WARNING):
            found = [name async for name, _ in find_kernels(finder=finder)]

    assert found == ["fake/kernel"]
    assert "never worked" in caplog.text


async def test_a_search_knows_the_context_it_was_started_in() -> None:
    """Providers may look at context variables of the application."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    def search() -> Any:
        seen.append(variable.get())
        return []

    variable.set("set")
    async with KernelFinder([Searching("one", search)]) as finder:
        await names(finder)

    assert seen == ["set"]


async def test_resources_come_from_the_provider_by_the_whole_name() -> None:
    async with KernelFinder([FakeProvider(files={"logo.png": b"png"})]) as finder:
        assert list(await finder.resources("fake/kernel")) == ["logo.png"]
        assert await finder.resource("fake/kernel", "logo.png") == b"png"
        with pytest.raises(NoSuchResource, match=r"fake/kernel has no resource 'other\.png'"):
            await finder.resource("fake/kernel", "other.png")
        with pytest.raises(NoSuchKernel):
            await finder.resource("fake/other", "logo.png")
        with pytest.raises(NoSuchProvider):
            await finder.resources("nowhere/kernel")


async def test_a_kernel_that_runs_is_found_and_adopted_and_outlives_that() -> None:
    """From what is found running, and from the record of its launch; a provider that fails hides no other."""

    class Failing(FakeProvider):
        def find_running(self) -> Any:
            raise OSError("the list is away")

    async with KernelFinder([Failing(id="failing"), FakeProvider()]) as finder:
        async with await launch("fake/kernel", finder=finder) as kernel:
            (running,) = [found async for found in finder.find_running()]
            assert (running.kernel_type, running.kernel_id) == ("fake/kernel", kernel.kernel_id)
            assert "record" not in repr(running)
            for record in (running.record, json.loads(json.dumps(running.record))):
                adopted = await finder.adopt(record)
                assert adopted.kernel_type == "fake/kernel"
                async with await connect(adopted) as mine:
                    assert (await mine.execute("1")).status == "ok"
            assert (await kernel.execute("1")).status == "ok"
        assert [found async for found in finder.find_running()] == []
        with pytest.raises(LaunchError):
            await finder.adopt(running.record)
        with pytest.raises(ValueError, match="names no kernel_type"):
            await finder.adopt({})


async def test_a_launch_knows_the_type_that_it_is_of() -> None:
    """By its whole name, however it was asked for."""
    async with KernelFinder([FakeProvider(id="spec", names=["python3"])]) as finder:
        launched = await finder.launch("python3", LaunchRequest())
        assert launched.kernel_type == "spec/python3"
        async with await connect(launched):
            pass
        assert launched.manager is not None
        await launched.manager.aclose()


async def test_a_provider_that_launches_something_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it returned, and what to do about a coroutine."""

    async def launch(name: str, request: LaunchRequest) -> object:
        return asyncio.sleep(0)

    provider = FakeProvider(id="fake", names=["kernel"])
    monkeypatch.setattr(provider, "launch", launch)
    async with KernelFinder([provider]) as finder:
        with pytest.raises(
            LaunchError, match=r"'fake' is broken: return a Launched .* not a coroutine: await it"
        ):
            await finder.launch("fake/kernel", LaunchRequest())


async def test_a_provider_that_gave_no_answer_is_not_waited_for_again_and_again() -> None:
    """Until it is refreshed; its launches are not concerned."""
    asked = 0

    async def find() -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        nonlocal asked
        asked += 1
        yield "first", info("first")
        await asyncio.get_running_loop().create_future()

    async with KernelFinder([Searching("slow", find)], search_timeout=0.05) as finder:
        found, problems = await names(finder)
        assert (found, problems) == (["slow/first"], {"slow": "gave no answer within 0.05 s"})
        found, problems = await names(finder)
        assert (found, asked) == ([], 1)
        assert problems["slow"].startswith("gave no answer within 0.05 s, and is asked again in ")
        await finder.refresh()
        found, problems = await names(finder)
        assert (found, asked) == (["slow/first"], 2)


async def test_a_provider_that_never_answers_is_asked_ever_more_seldom() -> None:
    """One that blocks holds a thread each time; after an answer it is as if nothing had been."""
    slot = Slot("slow", provider=FakeProvider())
    silences = []
    for _ in range(10):
        slot.gave_no_answer()
        silences.append(slot.silent_until - time.monotonic())
        await slot.refresh()
        assert slot.silent_until == 0
    expected = [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert silences == pytest.approx(expected, abs=5)
    slot.gave_no_answer()
    await slot.remember({}, slot.begin())
    assert slot.silent_until == 0
    slot.gave_no_answer()
    assert slot.silent_until - time.monotonic() == pytest.approx(30, abs=5)


async def test_what_fits_a_notebook_is_matched_among_what_is_shown() -> None:
    providers = [FakeProvider(id="spec", names=["telling-name", "other"])]
    async with KernelFinder(providers, config={"finder": {"hide": ["other"]}}) as finder:
        matches = await finder.match_notebook({"kernelspec": {"name": "telling-name"}})
        assert [match.kernel_type for match in matches] == ["spec/telling-name"]
        assert await finder.match_notebook({"kernelspec": {"name": "other"}}) == []


class ProjectsProvider(FakeProvider):
    """Has a kernel type for each project that it was told of."""

    def __init__(self) -> None:
        super().__init__()
        self.id = "projects"
        self.projects: list[Path] = []
        self.searches = 0

    def look_near(self, directory: Path) -> bool:
        if directory in self.projects:
            return False
        self.projects.append(directory)
        return True

    def watched(self) -> list[Path]:
        return []

    def find_kernels(self) -> Any:
        self.searches += 1
        return [(project.name, info(project.name)) for project in self.projects]


async def test_the_project_that_a_notebook_is_in_is_looked_into() -> None:
    """Once: what is found there can be found and launched from then on, and is remembered."""
    provider = ProjectsProvider()
    async with KernelFinder([provider]) as finder:
        assert await names(finder) == ([], {})
        async with contextlib.aclosing(find_kernels(finder=finder, near=Path("/a"))) as found:
            assert [kernel_type async for kernel_type, _ in found] == ["projects/a"]
        metadata = {"language_info": {"name": "none"}}
        for _ in range(2):
            matches = await finder.match_notebook(metadata, path=Path("/b/notebook.ipynb"))
            assert {match.kernel_type for match in matches} == {"projects/a", "projects/b"}
        assert await names(finder) == (["projects/a", "projects/b"], {})
        assert provider.searches == 3


async def test_a_project_is_known_by_one_name() -> None:
    """Parents of ``/a/b/..`` are not those of ``/a``; and a relative path is near nothing."""
    provider = ProjectsProvider()
    async with KernelFinder([provider]) as finder:
        await finder.find_kernels(near=Path("/a/b/..")).ordered()
        await finder.match_notebook({}, path=Path("c/notebook.ipynb"))
        with pytest.raises(ValueError, match="near must be an absolute directory, not 'c'"):
            finder.find_kernels(near=Path("c"))
    assert provider.projects == [Path("/a")]


async def test_a_blocking_provider_is_told_of_projects_too() -> None:
    class Blocking(BlockingProviderBase):
        id = "blocking"
        projects: tuple[Path, ...] = ()

        def look_near(self, directory: Path) -> bool:
            self.projects = (*self.projects, directory)
            return True

        def find_kernels(self) -> Any:
            return [(project.name, info(project.name)) for project in self.projects]

        def launch(self, name: str, request: LaunchRequest) -> Launched:
            raise NoSuchKernel(name)

    async with KernelFinder([Blocking()]) as finder:
        found = [kernel_type async for kernel_type, _ in finder.find_kernels(near=Path("/a"))]
        assert found == ["blocking/a"]


async def test_a_hidden_provider_is_not_asked_and_still_launches() -> None:
    async with KernelFinder([FakeProvider()], config={"finder": {"hide": ["fake/*"]}}) as finder:
        assert await names(finder) == ([], {})
        async with await launch("fake/kernel", finder=finder) as kernel:
            assert (await kernel.execute("1")).status == "ok"


async def test_what_is_found_can_be_had_whole_and_in_order() -> None:
    providers = [FakeProvider(id="b", names=["y", "x"]), FakeProvider(id="a")]
    async with KernelFinder(providers, config={"finder": {"order": ["b/*"]}}) as finder:
        assert list(await finder.find_kernels().ordered()) == ["b/x", "b/y", "a/kernel"]


async def test_a_search_of_a_finder_that_is_closed_before_it_begins_ends() -> None:
    finder = KernelFinder([FakeProvider()])
    search = finder.find_kernels()
    await finder.aclose()
    async with asyncio.timeout(GUARD):
        assert await search.ordered() == {}


class Odd(BaseException):
    """What nobody expects."""


@pytest.mark.parametrize("error", [asyncio.CancelledError(), Odd()])
async def test_what_a_provider_raises_is_a_problem_whatever_it_is(error: BaseException) -> None:
    """A cancellation that nobody asked for too: of something within the provider."""

    async def find() -> AsyncIterator[tuple[str, KernelTypeInfo]]:
        raise error
        yield

    async with KernelFinder([Searching("bad", find), FakeProvider()]) as finder:
        found, problems = await names(finder)

    assert found == ["fake/kernel"]
    assert repr(error) in problems["bad"]


async def test_a_provider_that_watches_a_text_is_a_problem() -> None:
    """Its letters would be watched, and nothing ever change."""

    class Watching(Searching):
        def watched(self) -> Any:
            return "/usr"

    async with KernelFinder([Watching("bad", list)]) as finder:
        _, problems = await names(finder)

    assert "it watches '/usr', where paths are due" in problems["bad"]


async def test_nonsense_among_what_is_running_hides_nobody() -> None:
    class Nonsense(FakeProvider):
        def find_running(self) -> Any:
            return [1]

    async with (
        KernelFinder([Nonsense(id="bad"), FakeProvider()]) as finder,
        await launch("fake/kernel", finder=finder) as kernel,
    ):
        assert [found.kernel_id async for found in finder.find_running()] == [kernel.kernel_id]


async def test_a_provider_that_is_late_to_close_has_ended_when_the_finder_is_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it raises then is logged."""
    monkeypatch.setattr(discovery.finder, "CLOSE_TIMEOUT", 0.05)

    class Late(Searching):
        async def aclose(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                raise OSError("cannot be cleaned up")

    before = asyncio.all_tasks()
    await KernelFinder([Late("late", list)]).aclose()

    assert asyncio.all_tasks() == before
    assert "cannot be cleaned up" in caplog.text


async def test_an_import_that_fails_after_its_search_was_given_up_makes_no_noise(
    installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next search tells of it."""
    let_go, noise = threading.Event(), list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: noise.append(context))
    monkeypatch.setattr(discovery, "_late_gate", let_go, raising=False)
    source = (
        "from jupyter_kernel_mgmt import discovery\ndiscovery._late_gate.wait(20)\nraise OSError('late')\n"
    )
    installed({"x-late": "x_late:Provider"}, x_late=source)
    async with KernelFinder.from_entrypoints(search_timeout=0.05) as finder:
        _, problems = await names(finder)
        [slot] = [slot for slot in finder._slots if slot.id == "x-late"]
        loading = slot._loading
        assert loading is not None
        let_go.set()
        await asyncio.wait([loading])
    assert "gave no answer" in problems["x-late"]
    del finder, slot, loading
    gc.collect()
    assert noise == []
