"""`BareKernel`: ipykernel as a process and blocking sockets, with no manager, client or loop: the floor.

Its addresses are paths in a private directory, so that nobody else can take them. Nothing is verified, and
nobody listens to iopub.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import _wire
import zmq

Socket = zmq.Socket[bytes]

TIMEOUT = 60.0
"""Seconds after which a kernel that does not answer or exit is given up."""

_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


class BareKernel:
    """Starts the process at once. Whoever made it has to `end`; a name is used once in a directory."""

    def __init__(self, context: "zmq.Context[Socket]", directory: Path, name: str) -> None:
        self._context = context
        self._path = directory / name
        self._sockets: dict[str, Socket] = {}
        file = directory / f"{name}.json"
        ports = {f"{channel}_port": number for number, channel in enumerate(_CHANNELS, start=1)}
        connection = {"transport": "ipc", "ip": str(self._path), "key": _wire.KEY, **ports}
        file.write_text(json.dumps({**connection, "signature_scheme": "hmac-sha256"}))
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", str(file)]
        # In a session of its own, as kernels of managers are: Linux schedules by session.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def ask(self, channel: str, msg_type: str, content: dict[str, Any]) -> None:
        """Send a request, as soon as the kernel is there."""
        if channel not in self._sockets:
            sock = self._sockets[channel] = self._context.socket(zmq.DEALER)
            sock.linger, sock.rcvtimeo = 0, int(TIMEOUT * 1000)
            sock.setsockopt(zmq.RECONNECT_IVL, 10)  # it reconnects as often as ours does
            sock.connect(f"ipc://{self._path}-{_CHANNELS.index(channel) + 1}")
        self._sockets[channel].send_multipart(
            _wire.frames(b"", [_wire.header(msg_type, 1), {}, {}, content])[1:]
        )

    def wait_for_answer(self, channel: str) -> None:
        """Block until something comes on a channel that was asked on."""
        self._sockets[channel].recv_multipart()

    def wait_for_exit(self) -> None:
        """Block until the process has ended by itself."""
        self._process.wait(TIMEOUT)

    def end(self) -> None:
        """Kill the process if it is still there, and close the sockets. May be called again."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for sock in self._sockets.values():
            sock.close()
