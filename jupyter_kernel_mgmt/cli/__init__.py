# PYTHON_ARGCOMPLETE_OK
"""The command ``jupyter-kernels``, which is ``jupyter kernels`` too."""

from .program import main

__all__ = ["main"]
