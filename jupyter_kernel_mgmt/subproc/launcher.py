"""`SubprocessLauncher`: starts a kernel as a child process, from a command."""

import logging
import os
import re
import string
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..exceptions import LaunchError, Unsupported
from ..launcherbase import KernelLauncherBase
from ..launching import InterruptMode, Launched, LaunchRequest
from .manager import SubprocessManager
from .output import OutputPipe
from .place import Place
from .sigint import popen
from .transports import choose, ipc_obstacle, socket_directory

log = logging.getLogger(__name__)

_PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_]+)\}")


class SubprocessLauncher(KernelLauncherBase):
    """Starts one kernel type.

    ``argv`` is the command; ``{connection_file}``, the names in ``fields`` and those of the request's
    launch parameters are filled in. ``env`` is added to the inherited environment, ``${NAME}`` in it
    replaced. ``metadata`` is the kernelspec's.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        kernel_name: str = "",
        env: Mapping[str, str] | None = None,
        interrupt_mode: InterruptMode = "signal",
        metadata: Mapping[str, Any] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        self.argv = tuple(argv)
        self.kernel_name = kernel_name
        self.env = dict(env or {})
        self.interrupt_mode: InterruptMode = interrupt_mode
        self.metadata = dict(metadata or {})
        self.fields = dict(fields or {})

    async def launch(self, request: LaunchRequest) -> Launched:
        """Start the process; it need not be ready when this returns.

        Raises `LaunchError` where the command cannot be run or files cannot be written, `Unsupported` for
        a launch parameter that the command has no place for. Nothing is awaited, so that a launch is not
        cancelled half-way.
        """
        place = self._place(request)
        try:
            argv = fill_in(
                self.argv,
                {**self.fields, "connection_file": str(place.connection_file)},
                request.launch_params,
            )
            env = kernel_environment(os.environ, self.env, request.env)
            process, output = start(argv, env=env, cwd=request.cwd)
            try:
                manager = SubprocessManager(request.kernel_id, process, output, place)
            except BaseException:
                output.close()
                _abandon(process)
                raise
        except (OSError, RuntimeError) as error:  # no descriptor or no thread to be had
            place.release()
            raise LaunchError(f"the kernel's process cannot be watched: {error}") from error
        except BaseException:
            place.release()
            raise
        return Launched(
            connection_info=place.connection_info,
            connection_file=place.connection_file,
            manager=manager,
            interrupt_mode=self.interrupt_mode,
            command=argv,
        )

    def _place(self, request: LaunchRequest) -> Place:
        """The place of the kernel that this one follows, or a new one."""
        previous = None if request.previous is None else request.previous.manager
        if isinstance(previous, SubprocessManager):
            previous.place.hold_again()
            return previous.place
        choice = choose(
            request.transport,
            argv=self.argv,
            metadata=self.metadata,
            # mkdtemp appends eight letters to the prefix
            ipc_obstacle=ipc_obstacle(socket_directory() / "jupyter-xxxxxxxx"),
        )
        log.info("Kernel %s uses %s: %s", request.kernel_id, choice.transport, choice.reason)
        return Place.create(request.kernel_id, self.kernel_name, choice)


def fill_in(argv: Sequence[str], fields: Mapping[str, str], params: Mapping[str, Any]) -> tuple[str, ...]:
    """The command with its places filled in; braces around other names stay.

    Raises `Unsupported` for a parameter that no place asks for, or that names a field of ours.
    """
    wanted = {name for argument in argv for name in _PLACEHOLDER.findall(argument)}
    for name in params:
        if name in fields:
            raise Unsupported("launch_params", f"{name!r} is filled in by the launcher and cannot be given")
        if name not in wanted:
            places = ", ".join(sorted(wanted - set(fields))) or "none"
            raise Unsupported("launch_params", f"the command has no place for {name!r}; it has {places}")
    values = {**{name: str(value) for name, value in params.items()}, **fields}
    return tuple(
        _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), argument) for argument in argv
    )


def kernel_environment(
    inherited: Mapping[str, str], spec: Mapping[str, str], request: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a kernel: ours, then the kernelspec's, then the request's.

    Source: How kernels work, "Kernel specs" (``env``).
    """
    env = dict(inherited)
    env.pop("PYTHONEXECUTABLE", None)  # it would make another Python believe that it is this one
    env |= {name: string.Template(value).safe_substitute(inherited) for name, value in spec.items()}
    env |= request
    env["JPY_PARENT_PID"] = str(os.getpid())
    return env


def start(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None
) -> tuple[subprocess.Popen[bytes], OutputPipe]:
    """Start a process in a group of its own, with its output going to a pipe and no input.

    Raises `LaunchError`, naming what is missing, or `OSError` and `RuntimeError` where this process has no
    descriptor or thread left for it.
    """
    read_end, write_end = os.pipe()
    try:
        process = popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            cwd=cwd,
            env=env,
            start_new_session=sys.platform != "win32",
        )
    except (OSError, ValueError) as error:
        os.close(read_end)
        raise LaunchError(_why_not_started(argv, cwd, error), command=argv) from error
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    try:
        return process, OutputPipe(read_end)
    except BaseException:
        _abandon(process)
        raise


def _abandon(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _why_not_started(argv: Sequence[str], cwd: Path | None, error: OSError | ValueError) -> str:
    if cwd is not None and not cwd.is_dir():
        return f"the working directory {cwd} does not exist or is no directory"
    if isinstance(error, FileNotFoundError):
        return f"the executable {argv[0]!r} was not found; is the kernel still installed?"
    if isinstance(error, PermissionError):
        return f"the executable {argv[0]!r} may not be run: {error.strerror}"
    return f"the command could not be run: {error}"
