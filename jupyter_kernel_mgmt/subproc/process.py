"""`StartedProcess`: a child process, the group it leads and its output. All of it, or nothing is left."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ..exceptions import LaunchError
from ..launching import Output
from .group import ProcessGroup, new_group
from .output import OutputPipe, open_output
from .sigint import popen
from .sinks import make_sink


@dataclass(frozen=True, slots=True)
class StartedProcess:
    """What belongs together until the process has ended."""

    process: subprocess.Popen[bytes]
    group: ProcessGroup
    output: OutputPipe

    def abandon(self) -> None:
        """End it at once and release everything."""
        self.output.close()
        _end(self.process)
        self.group.close()


def start(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None, output: Output = None
) -> StartedProcess:
    """Start a process in a group of its own, with its output going to a pipe and no input.

    ``output`` gets what comes out of the pipe.

    Raises `LaunchError`, naming what is missing, or `OSError` and `RuntimeError` where this process has no
    descriptor or thread left for it.
    """
    with ExitStack() as undo:
        group = new_group()
        undo.callback(group.close)
        with ExitStack() as ends:
            sink = make_sink(output)
            if sink is not None:
                ends.callback(sink.close)
            read_end, write_end = os.pipe()
            try:
                ends.callback(os.close, read_end)
                process = popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=write_end,
                    stderr=write_end,
                    cwd=cwd,
                    env={**env, **group.environment()},
                    **group.options(),
                )
            except (OSError, ValueError) as error:
                raise LaunchError(_why_not_started(argv, cwd, error), command=argv) from error
            finally:
                os.close(write_end)
            undo.callback(_end, process)
            group.started(process)
            ends.pop_all()  # both belong to the pipe from here on
        pipe = open_output(read_end, sink)
        undo.pop_all()
        return StartedProcess(process, group, pipe)


def _end(process: subprocess.Popen[bytes]) -> None:
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
