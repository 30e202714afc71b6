"""Kernel types of my own, for everything that finds kernels with jupyter_kernel_mgmt."""

from .provider import MyProvider

__all__ = ["MyProvider"]
