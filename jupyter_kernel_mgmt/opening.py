"""`launch` and `connect`: the two ways to a `Kernel`."""

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Generator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_protocol import ConnectionInfo

from ._options import STARTUP_TIMEOUT, KernelOptions
from ._prompts import StdinHandler
from .discovery import KernelFinder, shared_finder
from .events import EventLog, LaunchProgress, OnEvent
from .exceptions import LaunchError
from .kernel import Kernel
from .launching import Encryption, EnvPolicy, Launched, LaunchRequest, Limits, OnProgress, Output, Transport
from .managerbase import BlockingManagerBase, KernelManagerBase
from .subproc.place import runtime_directory
from .wire_trace import WireTrace

DEFAULT_KERNEL_TYPE = "pyimport/kernel"

Connection = str | os.PathLike[str] | Mapping[str, Any] | ConnectionInfo | Launched
"""A connection file, what is in one, or what a provider launched."""


class Opening(Coroutine[Any, Any, Kernel]):
    """A `Kernel` to be: await it, or enter it with ``async with``, which also closes the kernel at the end.

    A coroutine, so that it works in `asyncio.create_task`, `asyncio.TaskGroup` and `asyncio.run` too. What
    cancelling does is said at `launch` and `connect`, and for the end of the block at `Kernel.aclose`.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Kernel]) -> None:
        self._coroutine = coroutine
        self._kernel: Kernel | None = None

    def __await__(self) -> Generator[Any, Any, Kernel]:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        """Part of a coroutine."""
        return self._coroutine.send(value)

    def throw(self, *args: Any) -> Any:
        """Part of a coroutine."""
        return self._coroutine.throw(*args)

    def close(self) -> None:
        """Part of a coroutine."""
        self._coroutine.close()

    async def __aenter__(self) -> Kernel:
        self._kernel = await self._coroutine
        return self._kernel

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kernel is not None:
            await self._kernel.aclose()


def launch(
    kernel_type: str = DEFAULT_KERNEL_TYPE,
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    env_policy: EnvPolicy = "inherit",
    launch_params: Mapping[str, Any] | None = None,
    extra_arguments: Sequence[str] = (),
    limits: Limits | None = None,
    prefix: Sequence[str] = (),
    transport: Transport = "auto",
    encryption: Encryption = "auto",
    packer: str = "json",
    output: Output = None,
    startup_timeout: float = STARTUP_TIMEOUT,
    unresponsive_after: float | None = None,
    stdin: StdinHandler | None = None,
    finder: KernelFinder | None = None,
    forkserver: bool = False,
    on_event: OnEvent | None = None,
    trace: WireTrace | None = None,
) -> Opening:
    """Start a kernel and wait until it is ready. ``await`` it or use ``async with``; the `Kernel` is owned.

    ``kernel_type`` is ``"provider/name"``; ``"python3"`` alone means ``"spec/python3"``, and the default is
    the ipykernel that this interpreter can import. ``cwd`` and ``env`` are for its process; ``env_policy``
    says what of ours the environment starts from: ``"inherit"`` (all), ``"replace"`` (nothing) or the names
    in a collection. ``limits`` bound what it may use (Linux), ``prefix`` is a command to run it under, such
    as a sandbox (where that hides our processes, it has to unset JPY_PARENT_PID). ``launch_params`` fill
    places in its command and environment, as the schema in its metadata has it (`LaunchParameters`), and
    ``extra_arguments`` are put behind the command. ``startup_timeout`` is in seconds.
    ``stdin`` is an async callable ``(prompt, password) → str``. ``finder`` is whose providers are used (by
    default one for this loop, for as long as kernels of it are open). ``on_event(event)`` hears everything
    from the first progress on. ``trace`` is shown every message that passes, without secrets (see
    `log_trace`).

    ``transport`` is ``"auto"``, ``"ipc"`` or ``"tcp"``, or one way to tcp ports: ``"own-ports"`` (the kernel
    writes them into its file), ``"handshake"`` (JEP 66), ``"picked-ports"`` (we choose them); what was
    chosen, and why, is logged. ``encryption`` is ``"auto"`` (on tcp, for kernels that declare it),
    ``"required"`` or ``"disabled"``; ``packer`` is ``"json"`` or, for ipykernel, ``"msgpack"``. Of stdout
    and stderr the end is always kept; ``output`` gets all of it besides: a `Path` of a file to add it to, a
    callable for each line, or ``"inherit"`` for our stderr.

    With ``forkserver`` an ipykernel is forked from a process that has imported it, several times as fast as
    a cold start; that process is prepared for the first kernel and kept by the finder, so hold one. What
    cannot be forked is started cold, and the reason is told in a `LaunchProgress`.

    ``unresponsive_after`` seconds without a sign of life from a process that is stopped, or from a kernel
    whose heartbeat ought to answer, give an `Unresponsive` event, and a `KernelUnresponsive` to those who
    wait; the kernel is not ended, and a `Responsive` tells of its return. One that computes is not reported,
    nor is one that may be waiting in code with no heartbeat beside it. None reports nothing.

    Raises `NoSuchKernel`, `NoSuchProvider`, `Unsupported`, `LaunchError` (it could not be started, or died;
    with exit code, command and the end of its output) or `StartupTimeout`. Cancelling it ends what was
    started and leaves nothing behind.
    """
    request = LaunchRequest(
        cwd=None if cwd is None else Path(cwd),
        env=dict(env or {}),
        env_policy=env_policy,
        launch_params=dict(launch_params or {}),
        extra_arguments=tuple(extra_arguments),
        limits=limits or Limits(),
        prefix=tuple(prefix),
        transport=transport,
        encryption=encryption,
        packer=packer,
        output=output,
        forkserver=forkserver,
    )
    options = KernelOptions(
        startup_timeout=startup_timeout, unresponsive_after=unresponsive_after, stdin=stdin, trace=trace
    )
    return Opening(_launch(kernel_type, request, options, finder, on_event))


def connect(
    connection: Connection,
    *,
    manager: KernelManagerBase | BlockingManagerBase | None = None,
    startup_timeout: float = STARTUP_TIMEOUT,
    unresponsive_after: float | None = None,
    stdin: StdinHandler | None = None,
    trace: WireTrace | None = None,
) -> Opening:
    """Talk to a kernel that runs already. ``await`` it or use ``async with``; the `Kernel` is not owned.

    ``connection`` is a connection file (looked for here, then in Jupyter's runtime directory), the dict in
    one, a `ConnectionInfo` or a `Launched`. With a ``manager`` its death is noticed and `Kernel.wait` works;
    the manager stays its caller's. `Kernel.aclose` only disconnects. ``unresponsive_after`` is as in
    `launch`; without a manager only the heartbeat of an idle kernel counts, since a busy one may compute.

    A kernel that is busy with somebody else's code is ready where it answers on control; one that answers on
    shell alone is waited for. Encrypted kernels and other packers need no more than what the file says.

    Raises `LaunchError` for a file that cannot be used, `KernelDied`, or `StartupTimeout` when no answer
    comes within ``startup_timeout`` seconds; it says whether the kernel is busy, absent or encrypted in
    another way. Cancelling it disconnects.
    """
    options = KernelOptions(
        startup_timeout=startup_timeout, unresponsive_after=unresponsive_after, stdin=stdin, trace=trace
    )
    return Opening(_connect(connection, manager, options))


async def _launch(
    kernel_type: str,
    request: LaunchRequest,
    options: KernelOptions,
    finder: KernelFinder | None,
    on_event: OnEvent | None,
) -> Kernel:
    events = EventLog(on_event)
    request = replace(request, on_progress=_reporter(events))
    async with AsyncExitStack() as resources:
        used = finder if finder is not None else await resources.enter_async_context(shared_finder())

        async def relaunch(previous: Launched | None) -> Launched:
            deadline = time.monotonic() + options.startup_timeout
            return await used.launch(kernel_type, replace(request, previous=previous, deadline=deadline))

        kernel = Kernel(
            options,
            kernel_type=kernel_type,
            owned=True,
            relaunch=relaunch,
            events=events,
            resources=resources.pop_all(),
        )
    return await kernel.open()


async def _connect(
    connection: Connection,
    manager: KernelManagerBase | BlockingManagerBase | None,
    options: KernelOptions,
) -> Kernel:
    kernel = Kernel(options, owned=False)
    return await kernel.open(_reached(connection, manager))


def _reached(connection: Connection, manager: KernelManagerBase | BlockingManagerBase | None) -> Launched:
    """What to connect to, with the manager given or the one that came with it."""
    if isinstance(connection, Launched):
        return Launched(
            connection_info=connection.connection_info,
            channels=connection.channels,
            manager=manager or connection.manager,
            interrupt_mode=connection.interrupt_mode,
            connection_file=connection.connection_file,
        )
    if isinstance(connection, ConnectionInfo):
        return Launched(connection_info=connection, manager=manager)
    try:
        if isinstance(connection, Mapping):
            return Launched(connection_info=ConnectionInfo.from_dict(connection), manager=manager)
        file = _find_file(Path(connection))
        return Launched(connection_info=ConnectionInfo.load(file), manager=manager, connection_file=file)
    except (OSError, ValueError) as error:
        raise LaunchError(f"cannot connect: {error}") from error


def _find_file(path: Path) -> Path:
    """The connection file of that name: as a path, or else in Jupyter's runtime directory."""
    elsewhere = runtime_directory() / path
    return elsewhere if not path.exists() and elsewhere.exists() else path


def _reporter(events: EventLog) -> OnProgress:
    """A progress callback that may be called in any thread."""
    loop, thread = asyncio.get_running_loop(), threading.get_ident()

    def report(text: str, fraction: float | None = None) -> None:
        event = LaunchProgress(text, fraction)
        if threading.get_ident() == thread:
            events.emit(event)
        else:
            loop.call_soon_threadsafe(events.emit, event)

    return report
