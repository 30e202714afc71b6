import signal
from pathlib import Path

import pytest

from jupyter_kernel_mgmt import (
    AlreadyInstalled,
    InstallError,
    KernelDied,
    LaunchError,
    NoSuchKernel,
    NoSuchProvider,
    StartupTimeout,
    Unsupported,
)
from jupyter_kernel_mgmt.cli.exit_codes import MEANINGS, ExitCode, epilog, for_error, for_signal


def test_every_code_is_explained() -> None:
    """In the order of the numbers, in the text for --help."""
    assert set(MEANINGS) == set(ExitCode)
    numbers = [int(line.split()[0]) for line in epilog().splitlines()[1:]]
    assert numbers == sorted(ExitCode)


def test_an_end_by_a_signal_has_the_code_that_shells_give_it() -> None:
    """128 and the number."""
    assert for_signal(signal.SIGINT) == ExitCode.INTERRUPTED
    assert for_signal(signal.SIGTERM) == ExitCode.TERMINATED
    assert for_signal(1) == ExitCode.HUNG_UP


@pytest.mark.parametrize(
    "error",
    [NoSuchKernel("x"), NoSuchProvider("x"), LaunchError("x"), StartupTimeout("x"), Unsupported("x", "y")],
    ids=lambda error: type(error).__name__,
)
def test_what_keeps_a_kernel_from_being_there_has_one_code(error: Exception) -> None:
    """Whatever the reason is."""
    assert for_error(error) is ExitCode.NO_KERNEL


def test_a_kernelspec_that_is_not_installed_is_a_file_that_is_not_written() -> None:
    """Whether it may not be, or another is in its place."""
    assert for_error(InstallError("x")) is ExitCode.NOT_SAVED
    assert for_error(AlreadyInstalled("x", Path("/x"))) is ExitCode.NOT_SAVED


def test_losing_a_kernel_has_another() -> None:
    """It was there."""
    assert for_error(KernelDied()) is ExitCode.KERNEL_LOST
