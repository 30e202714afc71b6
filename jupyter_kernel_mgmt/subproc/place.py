"""`Place`: the addresses, keys and files of one kernel, kept through its restarts."""

import logging
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir

from jupyter_protocol import CHANNELS, ConnectionInfo, curve_keys, write_private

from ..exceptions import LaunchError
from .addresses import Reservation, ipc_addresses, port_was_taken, reserve, socket_directory
from .guard import Guard, Ward
from .transports import Choice, Way

log = logging.getLogger(__name__)

RESERVED: dict[Way, tuple[str, ...]] = {"handshake": (), "own-ports": ("hb",), "picked-ports": CHANNELS}
"""The channels whose ports are chosen here: ipykernel lets go of the heartbeat's before it binds it."""


class Place:
    """A connection file in Jupyter's runtime directory and, for ipc, a private directory for the sockets.

    Counted: made with one holder, and gone from the disk after the last `release`. A restarted kernel
    holds the place of the one before it, so that its address, key and file stay as far as ``way`` allows.
    The file is not there until `write`; ``connection_info`` has no ports where the kernel has to choose them.
    """

    def __init__(
        self,
        way: Way,
        connection_info: ConnectionInfo,
        connection_file: Path,
        directory: Path | None,
        reservation: Reservation | None,
    ) -> None:
        self.way: Way = way
        self.connection_info = connection_info
        self.connection_file = connection_file
        self._directory = directory
        self._reservation = reservation
        self._holders = 1
        self._ward: Ward | None = None

    def guard(self, guard: Guard) -> None:
        """Have the files removed when this process is killed."""
        directories = [] if self._directory is None else [self._directory]
        name = self.connection_file.stem
        self._ward = guard.ward(name, files=[self.connection_file], directories=directories)

    @classmethod
    def create(
        cls, kernel_id: str, kernel_name: str, choice: Choice, *, curve: bool = False, packer: str = "json"
    ) -> "Place":
        """Choose addresses and keys. Raises `LaunchError` where that cannot be done."""
        with ExitStack() as undo:
            directory = reservation = None
            try:
                if choice.way == "ipc":
                    directory = Path(tempfile.mkdtemp(prefix="jupyter-", dir=socket_directory()))  # mode 0700
                    undo.callback(_remove, None, directory)
                    addresses = ipc_addresses(directory)
                else:
                    reservation, addresses = reserve(RESERVED[choice.way])
                    undo.callback(reservation.close)
                public, secret = curve_keys() if curve else (None, None)
                info = ConnectionInfo(
                    kernel_name=kernel_name,
                    **addresses,
                    curve_publickey=public,
                    curve_secretkey=secret,
                    packer=packer,
                )
            except OSError as error:
                raise LaunchError(f"a kernel's sockets have no place here: {error}") from error
            file = runtime_directory() / f"kernel-{kernel_id}.json"
            undo.pop_all()
            return cls(choice.way, info, file, directory, reservation)

    def hold_again(self) -> None:
        """One holder more, for the next process: the same addresses where they are still to be had."""
        if self._holders == 0:
            raise LaunchError("the files of the kernel's previous process are gone")
        if self.way != "ipc":
            self._reserve_again()
        self._holders += 1

    def _reserve_again(self) -> None:
        """The ports of the kernel before, where all can be had; else as for a first one."""
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None
        info = self.connection_info
        try:
            if all(map(info.port, CHANNELS)) and not port_was_taken(info):
                with suppress(OSError):  # taken in this very moment
                    self._reservation, _ = reserve(CHANNELS, info)
                    return
            self._reservation, addresses = reserve(RESERVED[self.way])
        except OSError as error:
            raise LaunchError(f"no ports can be had: {error}") from error
        self.connection_info = replace(info, **addresses)

    async def release(self) -> None:
        """One holder less; the last one removes the files. What cannot be removed is logged.

        Cancelling is safe: the files are removed first.
        """
        self._holders -= 1
        if self._holders:
            return
        if self._reservation is not None:
            self._reservation.close()
        _remove(self.connection_file, self._directory)
        if self._ward is not None:
            await self._ward.release()

    def write(self, values: Mapping[str, Any] | None = None) -> None:
        """Write the connection file, or what is to stand in it until the kernel has ports.

        Raises `LaunchError`, saying what to do.
        """
        directory = self.connection_file.parent
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self.connection_file, self.connection_info.to_dict() if values is None else values)
        except OSError as error:
            raise LaunchError(
                f"the connection file {self.connection_file} cannot be written: {error.strerror}; make "
                f"{directory} writable, or set JUPYTER_RUNTIME_DIR to a directory that is"
            ) from error


def runtime_directory() -> Path:
    """Where connection files are, for every program that uses Jupyter's conventions."""
    return Path(jupyter_runtime_dir())


def _remove(connection_file: Path | None, directory: Path | None) -> None:
    """Remove what is there; what cannot be removed is logged and keeps nothing else."""
    try:
        if connection_file is not None:
            connection_file.unlink(missing_ok=True)
    except OSError as error:
        log.warning("A connection file could not be removed: %s", error)
    try:
        if directory is not None:
            try:
                directory.rmdir()  # for an empty one no descriptor is needed, of which there may be none left
            except OSError:
                shutil.rmtree(directory)
    except OSError as error:
        log.warning("A directory for sockets could not be removed: %s", error)
