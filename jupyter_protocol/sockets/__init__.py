"""ZMQ sockets on the running asyncio loop: a client's end, a kernel's end, and where kernels register."""

from .client import ClientSockets
from .kernel import KernelSockets
from .options import curve_keys, has_curve
from .registration import RegistrationSocket

__all__ = ["ClientSockets", "KernelSockets", "RegistrationSocket", "curve_keys", "has_curve"]
