"""The exit codes of ``jupyter-kernels``, all of them."""

import sys
from enum import IntEnum


class ExitCode(IntEnum):
    """What a shell script learns; ``MEANINGS`` says it in words."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_KERNEL = 3
    KERNEL_LOST = 4
    NO_NOTEBOOK = 65
    MISSING_EXTRA = 69
    BUG = 70
    NOT_SAVED = 73
    TIMEOUT = 124
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    HUNG_UP = 129
    TERMINATED = 143


MEANINGS = {
    ExitCode.OK: "all is well",
    ExitCode.FAILED: "the code or a cell raised an error; doctor: something is wrong; remove: declined",
    ExitCode.USAGE: "the command was called in a wrong way",
    ExitCode.NO_KERNEL: "no kernel: none found, none of that type, or not started or reached",
    ExitCode.KERNEL_LOST: "the kernel died, was restarted, fell silent or went out of reach",
    ExitCode.NO_NOTEBOOK: "what is to be run is no notebook, or what is to be installed no kernelspec",
    ExitCode.MISSING_EXTRA: "a package is missing that the extra 'cli' brings",
    ExitCode.BUG: "an error in this program; --debug shows where",
    ExitCode.NOT_SAVED: "a notebook or kernelspec cannot be written, or another is in its place",
    ExitCode.TIMEOUT: "the code or a cell ran longer than --timeout",
    ExitCode.HUNG_UP: "ended by SIGHUP: the terminal was closed",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
    ExitCode.OUTPUT_CLOSED: "whoever read the output closed it, as head does",
    ExitCode.TERMINATED: "ended by SIGTERM",
}


def epilog() -> str:
    """The exit codes as text for ``--help``, one a line."""
    return "exit codes:\n" + "\n".join(f"  {code:>3}  {text}" for code, text in MEANINGS.items())


def for_signal(signum: int) -> int:
    """The code of a program that a signal ended, as shells give it."""
    return 128 + signum


def for_error(error: Exception) -> ExitCode:
    """The code for an error of the package."""
    from ..exceptions import InstallError, LaunchError, NoSuchKernel, NoSuchProvider, Unsupported

    if isinstance(error, (NoSuchKernel, NoSuchProvider, LaunchError, Unsupported)):
        return ExitCode.NO_KERNEL
    if isinstance(error, InstallError):
        return ExitCode.NOT_SAVED
    if "nbformat" in sys.modules and (code := _for_notebook_error(error)) is not None:
        return code
    return ExitCode.KERNEL_LOST


def _for_notebook_error(error: Exception) -> ExitCode | None:
    from .. import notebook

    match error:
        case notebook.CellFailed(status=status):
            return _FOR_STATUS.get(status, ExitCode.FAILED)
        case notebook.InvalidNotebook():
            return ExitCode.NO_NOTEBOOK
        case notebook.NoKernelChosen():
            return ExitCode.NO_KERNEL
        case notebook.OutputInUse() | notebook.CannotSave():
            return ExitCode.NOT_SAVED
        case notebook.CannotResume():
            return ExitCode.FAILED
        case notebook.ParameterError():
            return ExitCode.USAGE
    return None


_FOR_STATUS = {
    "timeout": ExitCode.TIMEOUT,
    "interrupted": ExitCode.INTERRUPTED,
    "died": ExitCode.KERNEL_LOST,
}
