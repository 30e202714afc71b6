"""ZMQ sockets on the running asyncio loop: a client's end and a kernel's end."""

from .client import ClientSockets
from .kernel import KernelSockets

__all__ = ["ClientSockets", "KernelSockets"]
