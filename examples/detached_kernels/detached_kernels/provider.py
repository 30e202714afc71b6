"""`DetachedProvider`: ipykernels that outlive us, each with a private directory that says how to reach it."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir

import jupyter_kernel_mgmt as jkm
from jupyter_kernel_mgmt.managerbase import KILL
from jupyter_kernel_mgmt.providerbase import refuse_options
from jupyter_protocol import CHANNELS, ConnectionInfo, write_private
from jupyter_protocol.connection import read_private

from .manager import DetachedManager
from .processes import Identity, start

NAME = "python"
HOME = re.compile(r"kernel-[a-z0-9_]+")
LONGEST = 100
"""Bytes that the path of a socket may have; systems allow 103 or 107."""

TAKEN = {"cwd", "env", "extra_arguments"}
HARMLESS = {"kernel_id", "deadline", "on_progress", "previous", "forkserver"}
"""Fields of a request that it is right to do nothing about."""


class DetachedProvider(jkm.KernelProviderBase):
    """One kernel type, ``detached/python``.

    The option ``directory`` is where kernels have their directories; the default is below Jupyter's runtime
    directory. Each is readable for its owner alone, and so is each file in it: they hold the kernel's key.
    """

    id = "detached"

    def __init__(self) -> None:
        self.directory = Path(jupyter_runtime_dir()) / "detached"

    def load_config(self, config: Mapping[str, Any]) -> None:
        refuse_options(config, ["directory"])
        if "directory" in config:
            if not isinstance(config["directory"], str) or not Path(config["directory"]).is_absolute():
                raise ValueError("directory must be an absolute path")
            self.directory = Path(config["directory"])

    def find_kernels(self) -> Iterator[tuple[str, jkm.KernelTypeInfo]]:
        yield (
            NAME,
            jkm.KernelTypeInfo(display_name="Python, detached", language="python", obstacle=self._obstacle()),
        )

    async def launch(self, name: str, request: jkm.LaunchRequest) -> jkm.Launched:
        """Nothing is awaited in here, so that no cancelling can come between a kernel and its record."""
        if name != NAME:
            raise jkm.NoSuchKernel(name, known=[NAME])
        if obstacle := self._obstacle():
            raise jkm.LaunchError(obstacle)
        refuse_what_is_not_done(request)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            home = Path(tempfile.mkdtemp(prefix="kernel-", dir=self.directory))  # with mode 0700
        except OSError as error:
            raise jkm.LaunchError(f"{self.directory} cannot be used: {error}; set `directory`") from error
        try:
            return self._start(home, request)
        except BaseException as error:
            shutil.rmtree(home, ignore_errors=True)
            if isinstance(error, OSError | ValueError):
                raise jkm.LaunchError(f"the kernel cannot be started: {error}") from error
            raise

    def find_running(self) -> Iterator[jkm.RunningKernel]:
        """Those that are alive; what is left of others is removed."""
        for file in sorted(self.directory.glob("kernel-*/record.json")):
            try:
                record = read_private(file)
                process, home, _ = self._parse(record)
                if home != file.parent:
                    continue
                kernel_id, kernel_type = str(record["kernel_id"]), str(record["kernel_type"])
            except (OSError, ValueError):  # it has just ended, or is none of ours
                continue
            if process.is_alive():
                yield jkm.RunningKernel(kernel_id=kernel_id, kernel_type=kernel_type, record=record)
            else:
                shutil.rmtree(home, ignore_errors=True)

    async def adopt(self, record: Mapping[str, Any]) -> jkm.Launched:
        process, home, info = self._parse(record)
        if not process.is_alive():
            raise jkm.LaunchError(f"kernel {record['kernel_id']} has ended and cannot be adopted")
        try:
            noted = read_private(home / "record.json").get("manager")
        except (OSError, ValueError):
            noted = None
        if noted != record["manager"]:  # the directory goes with the process, so it must be that one's
            raise jkm.LaunchError(f"kernel {record['kernel_id']} has another directory than its record says")
        manager = DetachedManager(record["kernel_id"], process, home, owned=False)
        launched = jkm.Launched(
            connection_info=info, connection_file=home / "connection.json", manager=manager
        )
        launched.kernel_type = str(record["kernel_type"])
        return launched

    def _obstacle(self) -> str:
        if os.name != "posix":
            return "kernels are detached by a session of their own, which this system does not have"
        if len(os.fsencode(self.directory)) > LONGEST - len("/kernel-12345678/socket-1"):
            return f"{self.directory} is too long for the paths of sockets: set `directory` to a shorter one"
        return ""

    def _start(self, home: Path, request: jkm.LaunchRequest) -> jkm.Launched:
        info = ConnectionInfo(transport="ipc", ip=str(home / "socket"))
        for number, channel in enumerate(CHANNELS, start=1):
            info = info.with_port(channel, number)
        file = home / "connection.json"
        info.write(file)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", str(file), *request.extra_arguments]
        env = {**os.environ, **request.env}
        env.pop("JPY_PARENT_PID", None)  # it would end when that process does
        held = start(argv, env=env, cwd=request.cwd, output=home / "output")
        manager = DetachedManager(request.kernel_id, held.identity, home, owned=True)
        launched = jkm.Launched(
            connection_info=info, connection_file=file, manager=manager, command=tuple(argv)
        )
        launched.kernel_type = f"{self.id}/{NAME}"
        try:
            # Before it runs: a kernel without a record would be lost if we were killed now.
            write_private(home / "record.json", launched.to_dict())
            held.go()
        except BaseException:
            with suppress(OSError):
                held.pipe.close()
            held.identity.signal(KILL)  # the manager's watch takes care of the rest
            raise
        return launched

    def _parse(self, record: Mapping[str, Any]) -> tuple[Identity, Path, ConnectionInfo]:
        """What a record says. Raises `ValueError` for what is none, without quoting it: it holds a key."""
        manager, info = record.get("manager"), record.get("connection_info")
        if not isinstance(manager, Mapping) or not isinstance(info, Mapping):
            raise ValueError("manager, connection_info: both must be there")
        home, kernel_id = manager.get("home"), record.get("kernel_id")
        # Its files are removed when it ends, so a record must not lead anywhere else.
        if not isinstance(home, str) or not HOME.fullmatch(home):
            raise ValueError("home must be the name of a kernel's directory")
        if not isinstance(kernel_id, str) or not isinstance(record.get("kernel_type"), str):
            raise ValueError("kernel_id, kernel_type: both must be text")
        return Identity.from_dict(manager), self.directory / home, ConnectionInfo.from_dict(info)


def refuse_what_is_not_done(request: jkm.LaunchRequest) -> None:
    """An option is never ignored in silence. Raises `Unsupported`."""
    usual = jkm.LaunchRequest()
    for field in fields(request):
        if field.name not in TAKEN | HARMLESS and getattr(request, field.name) != getattr(usual, field.name):
            raise jkm.Unsupported(field.name, "detached kernels are started in one way only")
