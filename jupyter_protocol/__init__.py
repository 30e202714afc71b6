"""Jupyter messages, packing, signing and ZMQ sockets on asyncio, for clients and kernels.

How either is written with them: ``examples/writing_a_client.md``, ``examples/writing_a_kernel.md``.
"""

from . import messages
from .connection import CHANNELS, ConnectionInfo, write_private
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
from .sockets import ClientSockets, KernelSockets, RegistrationSocket, curve_keys, has_curve
from .validation import Problem, problems, validate

__all__ = [
    # messages
    "Message",
    "messages",
    "Problem",
    "problems",
    "validate",
    # packing and signing
    "Packer",
    "Session",
    # where kernels are
    "CHANNELS",
    "ConnectionInfo",
    "curve_keys",
    "has_curve",
    "write_private",
    # sockets
    "ClientSockets",
    "Heartbeat",
    "KernelSockets",
    "RegistrationSocket",
    # errors
    "ChannelClosed",
    "DuplicateSignature",
    "InvalidMessage",
    "InvalidSignature",
    "MalformedMessage",
    "ProtocolError",
    "UnknownPacker",
]
