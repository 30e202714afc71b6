"""Plain values between applications and providers: what is asked for, and what comes back."""

import inspect
import os
import re
import signal
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jupyter_protocol import ConnectionInfo

from .channels import Channels
from .exceptions import Unsupported
from .managerbase import BlockingManagerBase, KernelManagerBase

Transport = Literal["auto", "ipc", "tcp", "own-ports", "handshake", "picked-ports"]
"""How a kernel comes to its addresses: over tcp the best of three ways, or the last three by name."""

Encryption = Literal["auto", "required", "disabled"]
EnvPolicy = Literal["inherit", "replace"] | Collection[str]
"""What a kernel's environment starts from: all of ours, nothing, or what has one of these names."""

Output = Literal["inherit"] | os.PathLike[str] | Callable[[str], None] | None
"""Where stdout and stderr go besides the tail that is always kept: to our stderr, to the end of a file, to a
callable that gets each line, in the loop; None: nowhere."""

InterruptMode = Literal["signal", "message"]
OnProgress = Callable[[str, float | None], None]
"""Called with a text and the fraction done (0 to 1, or None where it is not known)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelTypeInfo:
    """What is known of a kernel type before it is launched.

    ``metadata`` is free; for kernelspecs it is the specification's (debugger, supported_encryption, …), and
    ``metadata["parameters"]`` the JSON Schema of its launch parameters. ``language_version`` and ``prefix``
    (the directory of the environment that the kernel runs in) are empty where they are not known.
    ``resources`` are the names of files that the provider has for it. ``obstacle`` says why it cannot be
    launched and what to do about it; it is empty for one that can.
    """

    display_name: str
    language: str
    argv: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    language_version: str = ""
    prefix: str = ""
    resources: tuple[str, ...] = ()
    obstacle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningKernel:
    """A kernel that a provider has running already, and perhaps nobody holds.

    ``kernel_type`` is its type, with the provider's id. ``record`` is what `KernelProviderBase.adopt` takes
    it up from: it may hold keys and is to be kept private.
    """

    kernel_id: str
    kernel_type: str
    record: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a kernel's process may use, each of its children likewise. None: what it inherits.

    ``memory`` is address space in bytes, ``cpu_time`` seconds of processor time, after which it gets
    SIGXCPU and soon SIGKILL, ``open_files`` a number of descriptors, ``nice`` the niceness, -20 to 19.
    Raises `ValueError` for what is not positive, or no niceness.
    """

    memory: int | None = None
    cpu_time: int | None = None
    open_files: int | None = None
    nice: int | None = None

    def __post_init__(self) -> None:
        for name in ("memory", "cpu_time", "open_files"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be more than 0, not {value!r}")
        if self.nice is not None and not -20 <= self.nice <= 19:
            raise ValueError(f"nice must be from -20 to 19, not {self.nice!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """What an application wants of a launch.

    ``cwd`` and ``env`` (added to what ``env_policy`` lets it inherit) are for the kernel's process, and so
    are ``limits``; ``prefix`` is put before its command, as for a sandbox. ``output`` says where stdout and
    stderr go besides the tail, ``encryption`` whether its sockets are to be encrypted, ``packer`` how its
    messages are to be packed (``"json"`` or ``"msgpack"``). ``forkserver`` asks for a fork of a process that
    has imported what it needs, where the provider can. ``launch_params`` are what the kernel type's
    parameters ask for: most fill the places of their names in its command and environment (see
    `LaunchParameters`). ``extra_arguments`` are put behind the command. ``deadline`` is a time of
    `time.monotonic` after which nobody waits any more, or None. ``previous`` is the `Launched` that the new
    kernel takes the place of: it keeps that one's addresses and keys where the provider can.

    A provider refuses what it cannot do with `Unsupported`, by the field's name. Raises `ValueError` for a
    ``kernel_id`` that could not be part of a file's name.
    """

    kernel_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    env_policy: EnvPolicy = "inherit"
    launch_params: Mapping[str, Any] = field(default_factory=dict)
    extra_arguments: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    prefix: tuple[str, ...] = ()
    transport: Transport = "auto"
    encryption: Encryption = "auto"
    packer: str = "json"
    output: Output = field(default=None, repr=False)
    forkserver: bool = False
    deadline: float | None = None
    on_progress: OnProgress | None = field(default=None, repr=False)
    previous: "Launched | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", self.kernel_id) or set(self.kernel_id) == {"."}:
            raise ValueError(f"kernel_id is {self.kernel_id!r}; it must be letters, digits and '._-'")

    def progress(self, text: str, fraction: float | None = None) -> None:
        """Tell whoever waits how far the launch is. May be called in any thread."""
        if self.on_progress is not None:
            self.on_progress(text, fraction)

    def remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


class Launched:
    """A kernel that was started, and perhaps is still starting: how to reach it and how to manage it.

    Either ``connection_info`` or, where messages travel another way, open ``channels``. ``manager`` may be
    a `BlockingManagerBase`, which from here on runs in threads; None only for a kernel that somebody else
    manages. ``connection_file`` is where the connection information was written for others, or None.
    ``command`` is for error texts. ``kernel_type`` is set by the finder that launched it.

    Raises `TypeError` unless exactly one of ``connection_info`` and ``channels`` is given.
    """

    __slots__ = (
        "channels",
        "command",
        "connection_file",
        "connection_info",
        "interrupt_mode",
        "kernel_type",
        "manager",
    )

    def __init__(
        self,
        *,
        manager: KernelManagerBase | BlockingManagerBase | None,
        connection_info: ConnectionInfo | None = None,
        channels: Channels | None = None,
        interrupt_mode: InterruptMode = "signal",
        connection_file: Path | None = None,
        command: tuple[str, ...] = (),
    ) -> None:
        if (connection_info is None) == (channels is None):
            raise TypeError("Launched needs either connection_info or channels")
        self.manager = manager.as_async() if isinstance(manager, BlockingManagerBase) else manager
        self.connection_info = connection_info
        self.channels = channels
        self.interrupt_mode: InterruptMode = interrupt_mode
        self.connection_file = connection_file
        self.command = command
        self.kernel_type = ""

    def to_dict(self) -> dict[str, Any]:
        """A record of JSON values from which `KernelProviderBase.adopt` can take the kernel up again.

        It holds the connection's key: keep it private. For a kernel with channels of its own
        ``connection_info`` is None, and what its manager keeps has to be enough. Raises `Unsupported` for one
        without a manager, or with a manager that keeps no record (`KernelManagerBase.to_dict`).
        """
        if self.manager is None:
            raise Unsupported("adopt", "a kernel without a manager cannot be recorded")
        connection_info = self.connection_info
        return {
            "kernel_id": self.manager.kernel_id,
            "kernel_type": self.kernel_type,
            "connection_info": None if connection_info is None else connection_info.to_dict(),
            "connection_file": None if self.connection_file is None else str(self.connection_file),
            "interrupt_mode": self.interrupt_mode,
            "manager": self.manager.to_dict(),
        }

    def __repr__(self) -> str:
        reached = self.connection_info or type(self.channels).__name__
        return f"<Launched {self.manager!r} {reached!r}>"


@dataclass(frozen=True, slots=True)
class ExitInfo:
    """How a kernel's process ended.

    ``returncode`` is the exit code, negative for a signal, None where nobody could learn it. ``reason``
    explains more than the code does, if anything is known. ``output_tail`` is the end of what the process
    wrote to stdout and stderr. ``retry`` says that the same launch may well work when tried again.
    """

    returncode: int | None = None
    reason: str | None = None
    output_tail: str = field(default="", repr=False)
    retry: bool = False

    def __str__(self) -> str:
        if self.returncode is None:
            text = "exit code unknown"
        elif self.returncode < 0:
            text = f"ended by {_signal_name(-self.returncode)}"
        else:
            text = f"exit code {self.returncode}"
        return f"{text} ({self.reason})" if self.reason else text


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def not_launched(result: object) -> str:
    """What is wrong with the result of a ``launch()``; empty for a `Launched`. A coroutine is closed."""
    if isinstance(result, Launched):
        return ""
    kind = f"a {type(result).__name__}"
    if inspect.iscoroutine(result):
        result.close()
        kind += ": await it, in a launch() that is async"
    return f"return a Launched from launch(), not {kind}"
