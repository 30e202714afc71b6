import asyncio
import os
import signal
import sys

import pytest

from jupyter_kernel_mgmt.cli.running import Signalled, on_signals, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals to itself")


def test_the_exit_code_is_what_the_coroutine_returns() -> None:
    """Nothing happened meanwhile."""

    async def main() -> int:
        return 7

    assert run(main()) == 7


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_cancels_and_gives_its_code(name: str) -> None:
    """What the coroutine owns is closed first."""
    signum = getattr(signal, name)
    steps = []

    async def main() -> int:
        try:
            os.kill(os.getpid(), signum)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("closed")
        return 0

    before = signal.getsignal(signum)
    assert run(main()) == 128 + signum
    assert steps == ["closed"]
    assert signal.getsignal(signum) is before


def test_nohup_is_heeded() -> None:
    """A terminal that closes ends nothing then."""

    async def main() -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
        return 7

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(main()) == 7
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_further_signal_hurries_what_closes() -> None:
    """It is cancelled once more; the code is that of the first."""

    async def main() -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        return 0

    assert run(main()) == 143


def test_a_run_may_end_as_if_by_a_signal() -> None:
    """When it has handled the signal itself."""

    async def main() -> int:
        raise Signalled(signal.SIGINT)

    assert run(main()) == 130


def test_other_cancelling_is_no_signal() -> None:
    """It passes."""

    async def main() -> int:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(main())


async def test_the_inner_block_gets_the_signal() -> None:
    """And the outer one again after it."""
    heard: list[str] = []
    arrived = asyncio.Event()

    def hear(name: str) -> None:
        heard.append(name)
        arrived.set()

    async def send() -> None:
        arrived.clear()
        os.kill(os.getpid(), signal.SIGINT)
        await arrived.wait()

    with on_signals((signal.SIGINT,), lambda _: hear("outer")):
        with on_signals((signal.SIGINT,), lambda _: hear("inner")):
            await send()
        await send()
    assert heard == ["inner", "outer"]
