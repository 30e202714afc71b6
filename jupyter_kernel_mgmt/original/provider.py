"""`OriginalProvider`: a provider of the first version as one of today."""

import asyncio
import inspect
import logging
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

from .. import _traits
from .._tasks import TaskSet
from .._threads import in_thread, iterate_in_thread
from ..exceptions import KernelError, LaunchError, NoSuchKernel, NoSuchResource
from ..launching import KernelTypeInfo, Launched, LaunchRequest
from ..providerbase import KernelProviderBase, refuse_options
from .calling import awaited, call, close_unawaited
from .manager import end_now, manager_of
from .shape import LaunchShape, own_function
from .values import connection_info, launch_arguments, type_info

log = logging.getLogger(__name__)

GRACE = 5.0
"""Seconds that a cancelled launch on the loop has to hand over what it started, which can be ended then."""

CANCEL_TIMEOUT = 1.0
"""Seconds that it has to end once it is cancelled itself."""


class OriginalProvider(KernelProviderBase):
    """Runs a provider in the original shape, which is ``old``. Make it with `adapt`."""

    def __init__(self, old: Any, shape: LaunchShape) -> None:
        self.old = old
        self.id = old.id
        self._shape = shape
        self._options: dict[str, Any] = {}
        self._is_configured = False
        self._configuring = threading.Lock()
        self._directories: dict[str, Path | None] = {}
        self._ending = TaskSet()

    def load_config(self, config: Mapping[str, Any]) -> None:
        """Set traits, or keep the options for the ``load_config`` of the old provider.

        That one may block, so that it is called before the first search or launch, in a thread. It gets a
        traitlets ``Config`` with the options in the section of its class, as it did from an application, or
        None without options.
        """
        if own_function(self.old, "load_config") is not None:
            self._options = dict(config)
        elif _traits.is_configurable(self.old):
            _traits.apply_config(self.old, config)
        else:
            refuse_options(config)

    async def find_kernels(self) -> AsyncGenerator[tuple[str, KernelTypeInfo], None]:
        """As the old one, in a thread; what is no pair of a name and a dict is logged and left out."""
        await self._configure()
        async with aclosing(self._found()) as found:
            async for item in found:
                try:
                    name, attributes = item
                    info = type_info(name, attributes)
                    directory = attributes.get("resource_dir")
                    self._directories[name] = None if directory is None else Path(directory)
                except (AttributeError, TypeError, ValueError) as error:
                    log.warning("Provider %r found something that is no kernel type: %s", self.id, error)
                else:
                    yield name, info

    async def launch(self, name: str, request: LaunchRequest) -> Launched:
        """Start a kernel with what the old launch takes.

        Raises `Unsupported` for what it has no place for, by the field's name; `NoSuchKernel` where the old
        one raised a `KeyError` about the name, and `LaunchError` for any other error of its. Cancelling it
        ends what the old launch hands over, with its manager's ``kill`` and ``cleanup``: a blocking one
        whenever it returns, one on the loop within `GRACE` seconds, after which it is cancelled itself.
        """
        arguments = launch_arguments(request, self._shape)
        await self._configure()
        if request.forkserver:
            request.progress("no fork: its provider is in the original shape")
        try:
            answer = await self._launch(name, arguments)
        except KernelError:
            raise
        except Exception as error:
            if isinstance(error, KeyError) and name in error.args:
                raise NoSuchKernel(name, known=list(self._directories)) from error
            text = f"provider {self.id!r} could not launch {name!r}: {type(error).__name__}: {error}"
            raise LaunchError(text) from error
        return await self._handed_over(answer, request.kernel_id)

    async def resources(self, name: str) -> Sequence[str]:
        """The files in the kernel type's ``resource_dir``."""
        directory = await self._directory(name)
        return [] if directory is None else await in_thread(partial(_files, directory), name="list-resources")

    async def resource(self, name: str, filename: str) -> bytes:
        """One of them."""
        directory = await self._directory(name)
        if directory is None or filename not in await self.resources(name):
            raise NoSuchResource(f"{self.id}/{name}", filename)
        return await in_thread((directory / filename).read_bytes, name="read-resource")

    async def aclose(self) -> None:
        """Call the ``aclose`` of an old provider that has one, as those in `names` do."""
        await self._ending.aclose()
        if own_function(self.old, "aclose") is not None:
            await call(self.old.aclose, name=f"close-provider-{self.id}")

    async def _configure(self) -> None:
        if own_function(self.old, "load_config") is not None and not self._is_configured:
            await in_thread(self._load_config, name=f"configure-{self.id}")

    def _load_config(self) -> None:
        with self._configuring:
            if not self._is_configured:
                section = _traits.section(type(self.old), self._options) if self._options else None
                self.old.load_config(config=section)
                self._is_configured = True

    async def _found(self) -> AsyncGenerator[Any, None]:
        find = self.old.find_kernels
        if inspect.isasyncgenfunction(find):
            async with aclosing(find()) as found:
                async for item in found:
                    yield item
            return
        if inspect.iscoroutinefunction(find):
            items = await find()
            find = partial(iter, items)
        async with aclosing(iterate_in_thread(find, name=f"find-kernels-{self.id}")) as found:
            async for item in found:
                yield item

    async def _launch(self, name: str, arguments: dict[str, Any]) -> object:
        method = getattr(self.old, self._shape.method)
        if inspect.iscoroutinefunction(method):
            return await self._launch_on_loop(method(name, **arguments))
        loop = asyncio.get_running_loop()
        answer = await in_thread(
            partial(method, name, **arguments),
            abandoned=lambda answer: _discard(answer, loop),
            name=f"launch-{self.id}",
        )
        return await self._launch_on_loop(awaited(answer)) if inspect.isawaitable(answer) else answer

    async def _launch_on_loop(self, launch: Any) -> object:
        task = asyncio.create_task(launch, name=f"launch-{self.id}")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            await self._give_up(task)
            raise
        if task.cancelled():
            raise LaunchError(f"the launch of provider {self.id!r} was cancelled from inside")
        return task.result()

    async def _give_up(self, task: "asyncio.Task[object]") -> None:
        """Not written to be cancelled half-way, it may leave a kernel then that nobody has a manager for."""
        try:
            await asyncio.wait([task], timeout=GRACE)
        finally:
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_TIMEOUT)
            if not task.done():
                log.warning("A launch of provider %r goes on though it was cancelled", self.id)
                task.add_done_callback(self._came_late)
            elif not task.cancelled() and task.exception() is None:
                await self._end(task.result())

    def _came_late(self, task: "asyncio.Task[object]") -> None:
        if not task.cancelled() and task.exception() is None:
            self._ending.start(self._end(task.result()), name=f"end-late-{self.id}")

    async def _end(self, answer: object) -> None:
        _, old = _pair(answer)
        try:
            manager = manager_of(old, "")
        except TypeError as error:
            log.warning("A kernel of provider %r cannot be ended: %s", self.id, error)
        else:
            if manager is not None:
                await manager.aclose()

    async def _handed_over(self, answer: object, kernel_id: str) -> Launched:
        """Exactly one side has the kernel: whoever gets the `Launched`, or we end it here."""
        if isinstance(answer, Launched):  # it is half-way here
            return answer
        try:
            values, old = _pair(answer)
            manager = manager_of(old, kernel_id)
            if values is None and callable(ask := getattr(old, "get_connection_info", None)):
                values = await call(ask, name="kernel-connection-info")
            return Launched(connection_info=connection_info(values), manager=manager)
        except (TypeError, ValueError) as error:
            await self._end(answer)
            raise LaunchError(f"what provider {self.id!r} launched cannot be used: {error}") from error
        except BaseException:
            await self._end(answer)
            raise

    async def _directory(self, name: str) -> Path | None:
        if name not in self._directories:
            async with aclosing(self.find_kernels()) as found:
                async for _ in found:
                    pass
        if name not in self._directories:
            raise NoSuchKernel(name, known=list(self._directories))
        return self._directories[name]


def _pair(answer: object) -> tuple[object, object]:
    """Connection information and manager; before 0.1 it was the manager alone, which could tell the rest."""
    if isinstance(answer, (tuple, list)) and len(answer) == 2:
        return answer[0], answer[1]
    if isinstance(answer, Launched):
        return None, answer.manager
    if isinstance(answer, Mapping):
        return answer, None
    return None, answer


def _discard(answer: object, loop: asyncio.AbstractEventLoop) -> None:
    """A blocking launch returned, in a thread, after it was cancelled."""
    if inspect.iscoroutine(answer):
        close_unawaited(answer)
    else:
        end_now(_pair(answer)[1], loop)


def _files(directory: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in directory.iterdir() if entry.is_file())
    except OSError:  # a type without files need not have the directory that it names
        return []
