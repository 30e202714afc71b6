"""Jupyter messages, packing, signing and ZMQ sockets on asyncio, for clients and kernels."""

from . import messages
from .connection import CHANNELS, ConnectionInfo
from .exceptions import (
    ChannelClosed,
    DuplicateSignature,
    InvalidMessage,
    InvalidSignature,
    MalformedMessage,
    ProtocolError,
    UnknownPacker,
)
from .heartbeat import Heartbeat
from .messages import Message
from .packers import Packer
from .session import Session
from .sockets import ClientSockets, KernelSockets

__all__ = [
    # messages
    "Message",
    "messages",
    # packing and signing
    "Packer",
    "Session",
    # where kernels are
    "CHANNELS",
    "ConnectionInfo",
    # sockets
    "ClientSockets",
    "Heartbeat",
    "KernelSockets",
    # errors
    "ChannelClosed",
    "DuplicateSignature",
    "InvalidMessage",
    "InvalidSignature",
    "MalformedMessage",
    "ProtocolError",
    "UnknownPacker",
]
