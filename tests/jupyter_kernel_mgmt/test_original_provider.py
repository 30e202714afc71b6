"""Providers of the first version as providers of today."""

import asyncio
import threading
import types
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets import Int
from traitlets.config import Config, Configurable

from jupyter_kernel_mgmt import (
    BlockingManagerBase,
    ExitInfo,
    KernelFinder,
    KernelProviderBase,
    Launched,
    LaunchError,
    LaunchRequest,
    NoSuchKernel,
    NoSuchResource,
    Unsupported,
)
from jupyter_kernel_mgmt.original import adapt, is_original
from jupyter_kernel_mgmt.original import provider as module
from jupyter_kernel_mgmt.original.names import KernelProviderBase as OldBase
from jupyter_kernel_mgmt.testing import FakeManager
from jupyter_protocol import ConnectionInfo

from ._original import CONNECTION, GUARD, AsyncOld, AsyncProvider, BlockingOld, BlockingProvider

EITHER = pytest.mark.parametrize("kind", [BlockingProvider, AsyncProvider])


def adapted(old: object) -> Any:
    """Without the note, which a test of its own looks at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return adapt(old)


async def found(provider: KernelProviderBase) -> dict[str, Any]:
    """All that it finds."""
    return {name: info async for name, info in provider.find_kernels()}  # type: ignore[union-attr]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Launches that hang have moments."""
    monkeypatch.setattr(module, "GRACE", 0.2)


# Finding


async def test_an_ordinary_generator_finds_in_a_thread() -> None:
    """As from any provider, through a finder."""
    threads: set[threading.Thread] = set()

    class Noting(BlockingProvider):
        def find_kernels(self) -> Iterator[tuple[str, dict[str, Any]]]:
            threads.add(threading.current_thread())
            yield from super().find_kernels()

    async with KernelFinder([adapted(Noting())]) as finder:
        names = [(name, info.display_name, info.argv) async for name, info in finder.find_kernels()]

    assert names == [("old/one", "One", ("a", "b")), ("old/two", "two", ())]
    (thread,) = threads
    assert thread.daemon


async def test_lists_coroutine_functions_and_async_generators_find_too() -> None:
    class Lists(BlockingProvider):
        def find_kernels(self) -> Any:
            return list(super().find_kernels())

    class Coroutine(BlockingProvider):
        async def find_kernels(self) -> Any:  # type: ignore[override]
            return super().find_kernels()

    class Asynchronous(BlockingProvider):
        async def find_kernels(self) -> AsyncIterator[Any]:  # type: ignore[override]
            for item in super().find_kernels():
                yield item

    for kind in (Lists, Coroutine, Asynchronous):
        assert list(await found(adapted(kind()))) == ["one", "two"]


async def test_what_is_no_kernel_type_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It hides no others."""

    class Odd(BlockingProvider):
        def find_kernels(self) -> Any:
            yield "just a name"
            yield "no dict", None
            yield "good", {"argv": ["a"]}

    assert list(await found(adapted(Odd()))) == ["good"]
    assert len(caplog.records) == 2


async def test_a_search_that_hangs_can_be_given_up() -> None:
    gate = threading.Event()

    class Hangs(BlockingProvider):
        def find_kernels(self) -> Any:
            yield "one", {}
            gate.wait(GUARD)

    search = adapted(Hangs()).find_kernels()
    assert (await anext(search))[0] == "one"
    waiting = asyncio.create_task(anext(search))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await search.aclose()
    gate.set()


# Launching


async def test_a_blocking_launch_gets_the_directory_and_gives_connection_and_manager() -> None:
    old = BlockingProvider()
    request = LaunchRequest(cwd=Path("/somewhere"))
    launched = await adapted(old).launch("one", request)

    assert old.launches == [{"cwd": str(Path("/somewhere"))}]
    assert launched.connection_info.port("hb") == 5
    assert launched.manager.kernel_id == request.kernel_id
    await launched.manager.aclose()
    assert old.managers[0].calls == ["kill", "cleanup"]


async def test_an_asynchronous_launch_gets_parameters_too() -> None:
    old = AsyncProvider()
    launched = await adapted(old).launch("one", LaunchRequest(launch_params={"a": 1}))

    assert old.launches == [{"cwd": None, "launch_params": {"a": 1}}]
    assert launched.manager.old is old.managers[0]


async def test_what_a_launch_has_no_place_for_is_refused_before_anything_starts() -> None:
    """Parameters too, by the name of the field, where the signature takes none."""
    old = BlockingProvider()
    for field, value in (("launch_params", {"a": 1}), ("env", {"A": "b"})):
        with pytest.raises(Unsupported) as caught:
            await adapted(old).launch("one", LaunchRequest(**{field: value}))  # type: ignore[arg-type]
        assert caught.value.option == field

    assert old.launches == []


async def test_a_launch_that_cannot_fork_says_so() -> None:
    """It starts all the same, as others do that cannot."""
    told: list[str] = []
    request = LaunchRequest(forkserver=True, on_progress=lambda text, _: told.append(text))
    await adapted(AsyncProvider()).launch("one", request)

    assert told == ["no fork: its provider is in the original shape"]


@pytest.mark.parametrize("shape", ["launch_async", "generator", "returns a coroutine"])
async def test_other_ways_to_launch_on_the_loop(shape: str) -> None:
    """``launch_async`` where there is no launch; what an ordinary function returns to be awaited."""

    async def pair() -> tuple[dict[str, Any], AsyncOld]:
        return dict(CONNECTION), AsyncOld()

    @types.coroutine
    def generator(self: Any, name: str, cwd: str | None = None) -> Any:
        return (yield from pair().__await__())

    async def launch_async(self: Any, name: str, cwd: str | None = None) -> Any:
        return await pair()

    methods: dict[str, dict[str, Any]] = {
        "launch_async": {"launch_async": launch_async},
        "generator": {"launch": generator},
        "returns a coroutine": {"launch": lambda self, name, cwd=None: pair()},
    }
    find = {"find_kernels": lambda self: iter(()), "id": "old"}
    old = type("Made", (OldBase,), {**find, **methods[shape]})()

    assert is_original(old)
    assert isinstance((await adapted(old).launch("one", LaunchRequest())).manager.old, AsyncOld)


async def test_a_manager_that_knows_its_connection_is_enough() -> None:
    """As before 0.1; and a launch that manages nothing gives no manager."""

    class Knows(AsyncOld):
        async def get_connection_info(self) -> dict[str, Any]:
            return dict(CONNECTION)

    class Alone(BlockingProvider):
        def launch(self, name: str, cwd: str | None = None) -> Any:
            return Knows() if name == "one" else (dict(CONNECTION), None)

    provider = adapted(Alone())
    known = await provider.launch("one", LaunchRequest())
    assert known.connection_info.port("shell") == 1
    assert isinstance(known.manager.old, Knows)
    assert (await provider.launch("two", LaunchRequest())).manager is None


async def test_what_is_of_today_already_is_taken_as_it_is() -> None:
    """A provider may be changed one step after the other."""
    ready = Launched(
        connection_info=ConnectionInfo.from_dict({**CONNECTION, "key": ""}), manager=FakeManager("id")
    )

    class Half(BlockingProvider):
        def launch(self, name: str, cwd: str | None = None) -> Any:
            return ready if name == "one" else (dict(CONNECTION), ready.manager)

    provider = adapted(Half())
    assert await provider.launch("one", LaunchRequest()) is ready
    assert (await provider.launch("two", LaunchRequest())).manager is ready.manager


@EITHER
async def test_errors_are_translated_once(kind: Callable[[], Any]) -> None:
    """A KeyError about the name is an unknown kernel type, any other error a failed launch; ours pass."""
    errors: list[Exception] = []

    class Raises(BlockingProvider):
        def launch(self, name: str, cwd: str | None = None) -> Any:
            raise errors.pop()

    class RaisesOnLoop(BlockingProvider):
        async def launch(self, name: str, cwd: str | None = None) -> Any:  # type: ignore[override]
            raise errors.pop()

    provider = adapted(Raises() if kind is BlockingProvider else RaisesOnLoop())
    await found(provider)
    for error, expected, text in (
        (KeyError("won"), NoSuchKernel, "there is no kernel type 'won'; did you mean"),
        (KeyError("x"), LaunchError, "could not launch 'won': KeyError: 'x'"),
        (OSError("no"), LaunchError, "could not launch 'won': OSError: no"),
        (Unsupported("cwd", "why"), Unsupported, "cwd: why"),
    ):
        errors.append(error)
        with pytest.raises(expected, match=text):
            await provider.launch("won", LaunchRequest())


async def test_a_launch_that_cancels_itself_failed() -> None:
    class Cancels(AsyncProvider):
        async def launch(self, name: str, cwd: Any = None, launch_params: Any = None) -> Any:
            raise asyncio.CancelledError

    with pytest.raises(LaunchError, match="was cancelled from inside"):
        await adapted(Cancels()).launch("one", LaunchRequest())


@pytest.mark.parametrize("values", [None, {**CONNECTION, "shell_port": "x"}])
async def test_what_cannot_be_used_is_ended(values: object) -> None:
    """Nobody else could."""
    manager = AsyncOld()

    class Wrong(AsyncProvider):
        async def launch(self, name: str, cwd: Any = None, launch_params: Any = None) -> Any:
            return values, manager

    with pytest.raises(LaunchError, match="what provider 'old' launched cannot be used"):
        await adapted(Wrong()).launch("one", LaunchRequest())
    assert manager.calls == ["kill", "cleanup"]


# Cancelling a launch


async def launching(provider: Any, old: Any) -> "asyncio.Task[Any]":
    """A launch that has begun."""
    task = asyncio.create_task(provider.launch("one", LaunchRequest()))
    async with asyncio.timeout(GUARD):
        while not old.launches:  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0)
    return task


async def test_a_cancelled_launch_in_a_thread_is_ended_when_it_returns() -> None:
    """The wait ends at once."""
    cleaned = threading.Event()

    class Manager(BlockingOld):
        def cleanup(self) -> None:
            super().cleanup()
            cleaned.set()

    class Tells(BlockingProvider):
        make = Manager

    old = Tells()
    old.proceed.clear()
    task = await launching(adapted(old), old)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert old.managers == []

    old.proceed.set()
    assert await asyncio.to_thread(cleaned.wait, GUARD)
    assert old.managers[0].calls == ["kill", "cleanup"]


async def test_a_cancelled_launch_on_the_loop_is_ended_before_the_cancellation_returns() -> None:
    """It has a moment to hand over what it started, for it was not written to be cut off."""
    old = AsyncProvider()
    old.proceed.clear()
    task = await launching(adapted(old), old)
    task.cancel()
    asyncio.get_running_loop().call_soon(old.proceed.set)
    with pytest.raises(asyncio.CancelledError):
        await task

    assert old.managers[0].calls == ["kill", "cleanup"]


async def test_a_launch_on_the_loop_that_hangs_is_cancelled_itself() -> None:
    old = AsyncProvider()
    old.proceed.clear()
    task = await launching(adapted(old), old)
    task.cancel()
    async with asyncio.timeout(GUARD):
        await asyncio.wait([task])

    assert task.cancelled()
    assert old.managers == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_coroutine_that_nobody_waits_for_any_more_is_closed() -> None:
    """Without Python's complaint that it was never awaited."""
    gate, made = threading.Event(), threading.Event()

    class Late(AsyncProvider):
        def launch(self, name: str, cwd: Any = None, launch_params: Any = None) -> Any:  # type: ignore[override]
            self.launches.append({})
            gate.wait(GUARD)
            try:
                return super().launch(name)
            finally:
                made.set()

    old = Late()
    task = await launching(adapted(old), old)
    task.cancel()
    await asyncio.wait([task])
    gate.set()
    assert await asyncio.to_thread(made.wait, GUARD)
    for thread in threading.enumerate():
        if thread.name == "launch-old":
            await asyncio.to_thread(thread.join, GUARD)
    assert old.managers == []


async def test_a_manager_of_today_is_closed_after_a_cancelled_launch() -> None:
    closed = threading.Event()

    class Today(BlockingManagerBase):
        def wait(self) -> ExitInfo:
            return ExitInfo(0)

        def aclose(self) -> None:
            closed.set()

    class Half(BlockingProvider):
        def launch(self, name: str, cwd: str | None = None) -> Any:
            super().launch(name)
            return dict(CONNECTION), Today()

    old = Half()
    old.proceed.clear()
    task = await launching(adapted(old), old)
    task.cancel()
    await asyncio.wait([task])
    old.proceed.set()
    assert await asyncio.to_thread(closed.wait, GUARD)


async def test_a_launch_that_will_not_be_cancelled_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The cancellation does not wait for it, and what it starts in the end is ended then."""
    monkeypatch.setattr(module, "CANCEL_TIMEOUT", 0.05)

    class Stubborn(AsyncProvider):
        async def launch(self, name: str, cwd: Any = None, launch_params: Any = None) -> Any:
            while True:
                try:
                    return await super().launch(name)
                except asyncio.CancelledError:
                    continue

    old = Stubborn()
    old.proceed.clear()
    task = await launching(adapted(old), old)
    task.cancel()
    await asyncio.wait([task])
    assert "A launch of provider 'old' goes on though it was cancelled" in caplog.text
    old.proceed.set()
    async with asyncio.timeout(GUARD):
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
    assert old.managers[0].calls == ["kill", "cleanup"]


async def test_a_launch_that_is_cancelled_while_it_is_handed_over_is_ended() -> None:
    """Its manager is asked for the connection, and does not answer."""
    asked = asyncio.Event()

    class Silent(AsyncOld):
        async def get_connection_info(self) -> Any:
            asked.set()
            await asyncio.Event().wait()

    manager = Silent()

    class Alone(AsyncProvider):
        async def launch(self, name: str, cwd: Any = None, launch_params: Any = None) -> Any:
            return manager

    task = asyncio.create_task(adapted(Alone()).launch("one", LaunchRequest()))
    await asked.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert manager.calls == ["kill", "cleanup"]


async def test_what_cannot_be_managed_is_a_failed_launch(caplog: pytest.LogCaptureFixture) -> None:
    """Which says what the manager lacks, and that the kernel could not be ended."""

    class Alone(AsyncProvider):
        async def launch(self, name: str, cwd: Any = None, launch_params: Any = None) -> Any:
            return dict(CONNECTION), object()

    with pytest.raises(LaunchError, match=r"object has neither wait\(\) nor is_alive\(\)"):
        await adapted(Alone()).launch("one", LaunchRequest())
    assert "A kernel of provider 'old' cannot be ended" in caplog.text


# Options


async def test_an_old_load_config_gets_what_it_got_from_an_application() -> None:
    """A Config with its section, in a thread, once, before anything else; None without options."""
    calls: list[Any] = []

    class Configured(BlockingProvider):
        def load_config(self, config: Any = None) -> None:
            assert threading.current_thread() is not threading.main_thread()
            calls.append(config)

    provider = adapted(Configured())
    provider.load_config({"queue": "long"})
    assert calls == []
    await found(provider)
    await provider.launch("one", LaunchRequest())
    assert calls == [Config({"Configured": {"queue": "long"}})]

    calls.clear()
    await adapted(Configured()).launch("one", LaunchRequest())
    assert calls == [None]


def test_an_old_configurable_has_its_traits_set() -> None:
    class WithTraits(BlockingProvider, Configurable):
        size = Int(1).tag(config=True)

    old = WithTraits()
    provider = adapted(old)
    provider.load_config({"size": 3})

    assert old.size == 3
    with pytest.raises(ValueError, match="sise: there is no such option; there are size"):
        provider.load_config({"sise": 3})


def test_one_that_takes_no_options_refuses_them() -> None:
    provider = adapted(BlockingProvider())
    provider.load_config({})
    with pytest.raises(ValueError, match="queue: there is no such option"):
        provider.load_config({"queue": "long"})


# Resources


async def test_the_files_of_a_resource_directory_are_the_resources(tmp_path: Path) -> None:
    """And no other files, wherever a name points to."""
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "logo-64x64.png").write_bytes(b"png")
    (tmp_path / "kernel" / "directory").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")

    class Files(BlockingProvider):
        def find_kernels(self) -> Any:
            yield "one", {"resource_dir": str(tmp_path / "kernel")}
            yield "two", {}
            yield "three", {"resource_dir": str(tmp_path / "gone")}

    provider = adapted(Files())
    assert await provider.resources("one") == ["logo-64x64.png"]
    assert await provider.resource("one", "logo-64x64.png") == b"png"
    assert list(await provider.resources("two")) == list(await provider.resources("three")) == []
    for name, filename in (("one", "../secret"), ("one", "directory"), ("two", "logo-64x64.png")):
        with pytest.raises(NoSuchResource):
            await provider.resource(name, filename)
    with pytest.raises(NoSuchKernel):
        await provider.resources("four")


async def test_closing_closes_an_old_provider_that_can_be_closed() -> None:
    closed = []

    class Closes(BlockingProvider):
        async def aclose(self) -> None:
            closed.append(self)

    provider = adapted(Closes())
    await provider.aclose()
    await adapted(BlockingProvider()).aclose()
    assert closed == [provider.old]
