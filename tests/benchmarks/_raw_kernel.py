"""A kernel that is nothing but raw blocking ZMQ sockets, as a process: ``python _raw_kernel.py FLOOD``.

Answers any request on shell and control with busy, a kernel_info_reply and idle, and sends FLOOD signed
messages to whoever subscribes to iopub: the subscription is the hello. All but the parent header and the
signature is made in advance. Prints its connection information and ends when stdin is closed.
"""

import json
import os
import sys
import threading

import _wire
import zmq

Socket = zmq.Socket[bytes]

INFO = {
    "status": "ok",
    "protocol_version": "5.4",
    "implementation": "raw",
    "implementation_version": "1",
    "language_info": {"name": "none", "version": "1", "mimetype": "text/plain", "file_extension": ".txt"},
    "banner": "",
    "help_links": [],
}


class RawKernel:
    """The sockets and the answers."""

    def __init__(self, flood: int) -> None:
        context = zmq.Context()
        kinds = {"shell": zmq.ROUTER, "control": zmq.ROUTER, "stdin": zmq.ROUTER, "hb": zmq.REP}
        self.sockets: dict[str, Socket] = {name: context.socket(kind) for name, kind in kinds.items()}
        self.iopub: Socket = context.socket(zmq.XPUB)
        self.iopub.setsockopt(zmq.SNDHWM, 0)  # a PUB drops what exceeds it
        self.iopub.setsockopt(zmq.XPUB_VERBOSE, 1)
        every = {**self.sockets, "iopub": self.iopub}
        self.ports = {f"{name}_port": s.bind_to_random_port("tcp://127.0.0.1") for name, s in every.items()}
        self.flood = [_wire.frames(b"stream", _wire.stream(number)) for number in range(flood)]
        self.head = {kind: _dump(_wire.header(kind, 1)) for kind in ("status", "kernel_info_reply")}
        self.info = _dump(INFO)
        self.busy, self.idle = (_dump({"execution_state": state}) for state in ("busy", "idle"))

    def serve(self) -> None:
        """Answer for ever."""
        poller = zmq.Poller()
        requests = (self.sockets["shell"], self.sockets["control"])
        for sock in (*requests, self.iopub):
            poller.register(sock, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            for sock in requests:
                if sock in ready:
                    self._answer(sock, sock.recv_multipart())
            if self.iopub in ready and self.iopub.recv()[:1] == b"\x01":
                for frames in self.flood:
                    self.iopub.send_multipart(frames)

    def _answer(self, sock: Socket, request: list[bytes]) -> None:
        start = request.index(_wire.DELIMITER)
        parent = request[start + 2]
        self._send(self.iopub, [b"status"], "status", parent, self.busy)
        self._send(sock, request[:start], "kernel_info_reply", parent, self.info)
        self._send(self.iopub, [b"status"], "status", parent, self.idle)

    def _send(self, sock: Socket, idents: list[bytes], kind: str, parent: bytes, content: bytes) -> None:
        parts = [self.head[kind], parent, b"{}", content]
        sock.send_multipart([*idents, _wire.DELIMITER, _wire.sign(parts), *parts])


def _dump(value: object) -> bytes:
    return json.dumps(value).encode()


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    kernel = RawKernel(flood=int(sys.argv[1]))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    address = {"transport": "tcp", "ip": "127.0.0.1", "key": _wire.KEY, "signature_scheme": "hmac-sha256"}
    print(json.dumps({**address, **kernel.ports}), flush=True)
    kernel.serve()
