"""`Place`: the addresses, keys and files of one kernel, kept through its restarts."""

import logging
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from jupyter_protocol import ConnectionInfo

from ..exceptions import LaunchError
from .transports import Choice, ipc_addresses, socket_directory, tcp_addresses

log = logging.getLogger(__name__)


class Place:
    """A connection file in Jupyter's runtime directory and, for ipc, a private directory for the sockets.

    Counted: made with one holder, and gone from the disk after the last `release`. A restarted kernel
    holds the place of the one before it, so that its address, key and file stay.
    """

    def __init__(
        self, connection_info: ConnectionInfo, connection_file: Path, directory: Path | None
    ) -> None:
        self.connection_info = connection_info
        self.connection_file = connection_file
        self._directory = directory
        self._holders = 1

    @classmethod
    def create(cls, kernel_id: str, kernel_name: str, choice: Choice) -> "Place":
        """Choose addresses and a key, and write the file. Raises `LaunchError` where that cannot be done."""
        directory = None
        try:
            if choice.transport == "ipc":
                directory = Path(tempfile.mkdtemp(prefix="jupyter-", dir=socket_directory()))  # mode 0700
                addresses = ipc_addresses(directory)
            else:
                addresses = tcp_addresses()
            info = ConnectionInfo(kernel_name=kernel_name, **addresses)
            place = cls(info, runtime_directory() / f"kernel-{kernel_id}.json", directory)
            place._write()
        except OSError as error:
            _remove(None, directory)
            raise LaunchError(f"a kernel's sockets have no place here: {error}") from error
        except BaseException:
            _remove(None, directory)
            raise
        return place

    def hold_again(self) -> None:
        """One holder more, for the next process: the same addresses where they are still to be had."""
        if self._holders == 0:
            raise LaunchError("the files of the kernel's previous process are gone")
        if self.connection_info.transport == "tcp":
            try:
                addresses = tcp_addresses(self.connection_info)
            except OSError as error:
                raise LaunchError(f"no ports can be had: {error}") from error
            self.connection_info = replace(self.connection_info, **addresses)
        self._write()
        self._holders += 1

    def release(self) -> None:
        """One holder less; the last one removes the files. What cannot be removed is logged."""
        self._holders -= 1
        if self._holders:
            return
        _remove(self.connection_file, self._directory)

    def _write(self) -> None:
        directory = self.connection_file.parent
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.connection_info.write(self.connection_file)
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
