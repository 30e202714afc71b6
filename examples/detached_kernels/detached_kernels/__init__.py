"""Kernels that outlive the application that started them, to be found and taken up by another one."""

from .provider import DetachedProvider

__all__ = ["DetachedProvider"]
