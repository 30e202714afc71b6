"""Finding kernel types through providers, keeping up with what changes, and launching them by name."""

from ..original.names import IPykernelProvider, KernelProviderBase, KernelSpecProvider
from .changes import Changes, KernelTypeChange
from .configuration import Configuration
from .finder import SEARCH_TIMEOUT, KernelFinder
from .names import DEFAULT_PROVIDER, split_kernel_type
from .search import KernelSearch, Problem, iterate_found
from .shared import find_kernels, shared_finder

MetaKernelFinder = KernelFinder
"""What it was called before 0.1."""

__all__ = [
    # what is found, and by whom
    "DEFAULT_PROVIDER",
    "SEARCH_TIMEOUT",
    "Changes",
    "Configuration",
    "KernelFinder",
    "KernelSearch",
    "KernelTypeChange",
    "Problem",
    "find_kernels",
    "iterate_found",
    "shared_finder",
    "split_kernel_type",
    # what providers written for the first version import from here
    "IPykernelProvider",
    "KernelProviderBase",
    "KernelSpecProvider",
    "MetaKernelFinder",
]
