"""ZMQ options that every socket of one end has in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import zmq

from ..connection import ConnectionInfo

RECONNECT_INTERVAL = 10
"""Milliseconds between attempts to connect: a kernel that starts is met as soon as it binds."""


def has_curve() -> bool:
    """Whether the ZMQ library here can encrypt."""
    return bool(zmq.has("curve"))


def curve_keys() -> tuple[str, str]:
    """A new key pair for a kernel, public and secret, each 40 characters of Z85. Needs `has_curve`."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def connecting_socket(
    context: "zmq.Context[zmq.Socket[bytes]]", kind: int, info: ConnectionInfo
) -> "zmq.Socket[bytes]":
    """A socket that will connect to a kernel, encrypted where the kernel's public key is known."""
    with _new_socket(context, kind, info) as sock:
        sock.setsockopt(zmq.RECONNECT_IVL, RECONNECT_INTERVAL)
        if info.curve_publickey:
            public, secret = zmq.curve_keypair()
            sock.setsockopt(zmq.CURVE_PUBLICKEY, public)
            sock.setsockopt(zmq.CURVE_SECRETKEY, secret)
            sock.setsockopt(zmq.CURVE_SERVERKEY, info.curve_publickey.encode())
    return sock


def binding_socket(
    context: "zmq.Context[zmq.Socket[bytes]]", kind: int, info: ConnectionInfo
) -> "zmq.Socket[bytes]":
    """A socket that will bind for a kernel: an unlimited send queue, encrypted where there is a key pair.

    Raises `ValueError` for one key without the other: binding in the clear would not be what was asked for.
    """
    if bool(info.curve_publickey) != bool(info.curve_secretkey):
        missing = "curve_secretkey" if info.curve_publickey else "curve_publickey"
        raise ValueError(f"{missing} is missing: a kernel needs both keys")
    with _new_socket(context, kind, info) as sock:
        sock.setsockopt(zmq.SNDHWM, 0)
        if info.curve_publickey and info.curve_secretkey:
            sock.setsockopt(zmq.CURVE_SERVER, 1)
            sock.setsockopt(zmq.CURVE_PUBLICKEY, info.curve_publickey.encode())
            sock.setsockopt(zmq.CURVE_SECRETKEY, info.curve_secretkey.encode())
    return sock


@contextmanager
def _new_socket(
    context: "zmq.Context[zmq.Socket[bytes]]", kind: int, info: ConnectionInfo
) -> "Iterator[zmq.Socket[bytes]]":
    """A socket, closed if an option is refused: one left open would hold up the end of the process."""
    sock = context.socket(kind)
    try:
        sock.linger = 0
        sock.setsockopt(zmq.IPV6, ":" in info.ip)
        yield sock
    except BaseException:
        sock.close()
        raise
