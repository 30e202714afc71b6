"""Kernelspecs, the ``kernel.json`` files that say how kernels are started: found, read, checked, installed.

Source: How kernels work, "Kernel specs".
"""

from .checks import SpecProblem, check_kernelspec
from .install import install_kernelspec, install_kernelspec_from_values, remove_kernelspec
from .places import KERNEL_NAME
from .reading import (
    BadKernelSpec,
    KernelSpec,
    find_kernelspec,
    find_kernelspecs,
    get_kernelspec,
    kernelspec_directories,
    kernelspec_from_dict,
    kernelspec_names,
    no_such_kernelspec,
    read_kernelspec,
)

__all__ = [
    # finding and reading
    "KERNEL_NAME",
    "BadKernelSpec",
    "KernelSpec",
    "find_kernelspec",
    "find_kernelspecs",
    "get_kernelspec",
    "kernelspec_directories",
    "kernelspec_from_dict",
    "kernelspec_names",
    "no_such_kernelspec",
    "read_kernelspec",
    # checking
    "SpecProblem",
    "check_kernelspec",
    # installing
    "install_kernelspec",
    "install_kernelspec_from_values",
    "remove_kernelspec",
]
