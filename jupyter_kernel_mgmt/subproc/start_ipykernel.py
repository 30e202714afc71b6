"""A program: starts ipykernel as ``-m ipykernel_launcher`` does, sooner, and without a limit to its output.

Run in an ipykernel's process, or in one that such processes are forked from, by whatever Python that has: 2.7
or newer. Imports nothing of this package.

Thousands of objects are made by its imports, and all stay: looking for garbage among them takes a twentieth
of the start, and of each later search.
"""

import gc
import os
import sys

if __name__ == "__main__":
    gc.disable()
    if sys.path and sys.path[0] == os.path.dirname(__file__):  # noqa: PTH120 - no need for pathlib yet
        del sys.path[0]  # the directory of this file is not for imports

import zmq
from ipykernel import kernelapp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable  # noqa: F401 - for comments, since annotations are not in Python 2
    from typing import Any  # noqa: F401


def keep_all_output():
    # type: () -> None
    """Have ipykernel keep what its clients have not read yet. ZMQ would keep 1,000 messages and drop others.

    A kernel outruns a client, and the threads between them, whenever the machine is busy.
    """
    init = kernelapp.IPKernelApp.init_iopub  # type: Callable[..., None]

    def init_iopub(app, context):
        # type: (kernelapp.IPKernelApp, zmq.Context[Any]) -> None
        context.sockopts[zmq.SNDHWM] = 0
        try:
            init(app, context)
        finally:
            context.sockopts.pop(zmq.SNDHWM, None)

    kernelapp.IPKernelApp.init_iopub = init_iopub  # type: ignore[method-assign]


keep_all_output()

if __name__ == "__main__":
    if hasattr(gc, "freeze"):  # from Python 3.7 on
        gc.freeze()
    gc.enable()
    # Some look here for whether they run in a notebook.
    sys.argv[0] = kernelapp.__file__.replace(os.path.join("ipykernel", "kernelapp"), "ipykernel_launcher")  # noqa: PTH118
    kernelapp.launch_new_instance()
