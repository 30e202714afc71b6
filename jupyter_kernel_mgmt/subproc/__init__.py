"""Kernels that are child processes of this one."""

from .launcher import SubprocessLauncher
from .manager import SubprocessManager

__all__ = ["SubprocessLauncher", "SubprocessManager"]
