"""`Reachability`: what can be seen of a kernel from outside, whatever it is busy with. For error texts.

Source: ZMTP 3.1 (ZeroMQ RFC 37), "Protocol Greeting"; Messaging in Jupyter, "Heartbeat for kernels".
"""

import asyncio
import sys

from jupyter_protocol import ConnectionInfo
from jupyter_protocol.heartbeat import Heartbeat

LOOK_AFTER = 0.25
"""Seconds that a kernel has to answer before it is looked at: an idle one needs milliseconds."""

FIRST_PAUSE = 0.5
"""Seconds until the second look at an address where nobody listens; then twice as many."""

GREETING_TIMEOUT = 1.0
"""Seconds that what listens has to greet: ZMQ does it in a thread of its own, at once."""

_SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
_HELLO = _SIGNATURE + b"\x03\x00"  # enough of a greeting to be told the rest of the other one
_MECHANISM = slice(12, 32)


class Reachability:
    """Looks at a kernel's heartbeat and at its address, for as long as `watch` runs.

    ``listens`` says whether somebody takes connections at the shell channel's address (None: not looked
    yet), ``mechanism`` how they are secured there (``"NULL"``, ``"CURVE"``; None: it is not ZMQ, or is
    stopped), and ``echoed`` whether the heartbeat answered. ``str`` says what follows from that for a kernel
    that does not answer.
    """

    def __init__(self, connection_info: ConnectionInfo) -> None:
        self.listens: bool | None = None
        self.mechanism: str | None = None
        self.echoed = False
        self._info = connection_info
        self._expected = "CURVE" if connection_info.curve_publickey else "NULL"

    def __str__(self) -> str:
        if self.echoed:
            return (
                "it did not answer kernel_info, but its heartbeat: it is busy with what began before we "
                "connected, or refuses our messages (other key or packer)"
            )
        text = "it did not answer at all"
        if self.listens is None:
            return text
        return f"{text}: {self._listener()}"

    def _listener(self) -> str:
        """What answers, or does not, at the kernel's address."""
        url = self._info.url("shell")
        if not self.listens:
            return f"nobody listens at {url}"
        if self.mechanism is None:
            return f"what listens at {url} is stopped, or is no kernel"
        if self.mechanism != self._expected:
            theirs, ours = _encryption(self.mechanism), _encryption(self._expected)
            return f"the kernel at {url} uses {theirs}, we use {ours}"
        if self.mechanism == "CURVE":
            return (
                f"the kernel at {url} is encrypted: curve_publickey is not its own, or it is busy or stopped"
            )
        return f"a kernel listens at {url}: it is busy or stopped, and its heartbeat is silent too"

    async def watch(self) -> None:
        """Look, after a moment, until there is nothing more to learn. Cancelling releases everything."""
        await asyncio.sleep(LOOK_AFTER)
        async with asyncio.TaskGroup() as looks:
            looks.create_task(self._watch_heartbeat())
            looks.create_task(self._watch_address())

    async def _watch_heartbeat(self) -> None:
        try:
            async with Heartbeat(self._info) as heartbeat:
                await heartbeat.wait_for_echo()
        except OSError:  # an address without a port: this kernel has no heartbeat
            return
        self.echoed = True

    async def _watch_address(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout(GREETING_TIMEOUT):
                    self.mechanism = await security_mechanism(self._info.url("shell"))
                self.listens = True
                return
            except TimeoutError:  # the system took the connection, whoever listens did not
                self.listens = True
            except OSError:
                self.listens = False
            await asyncio.sleep(pause)
            pause *= 2


async def security_mechanism(url: str) -> str | None:
    """The name of the mechanism in the greeting of what listens at a ZMQ address; None if it is not ZMQ.

    Raises `OSError` where nobody listens. Without a time limit; cancelling it disconnects.
    """
    reader, writer = await _connected(url)
    try:
        writer.write(_HELLO)
        greeting = await reader.readexactly(_MECHANISM.stop)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    finally:
        writer.transport.abort()
    if not (greeting[0] == _SIGNATURE[0] and greeting[9] == _SIGNATURE[9]):
        return None
    return greeting[_MECHANISM].rstrip(b"\0").decode("ascii", "replace")


async def _connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    transport, _, address = url.partition("://")
    if transport == "tcp":
        host, _, port = address.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))
    if sys.platform == "win32":
        raise OSError("there are no Unix sockets here")
    if address.startswith("@"):
        address = "\0" + address[1:]  # how ZMQ writes a name in Linux' abstract namespace
    return await asyncio.open_unix_connection(address)


def _encryption(mechanism: str) -> str:
    return "no encryption" if mechanism == "NULL" else f"encryption ({mechanism})"
