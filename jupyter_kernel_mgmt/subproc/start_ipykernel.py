"""A program: starts ipykernel as ``-m ipykernel_launcher`` does, and sooner. Imports nothing of this package.

Thousands of objects are made by its imports, and all stay: looking for garbage among them takes a twentieth
of the start, and of each later search.
"""

import gc
import os
import sys

gc.disable()
if sys.path and sys.path[0] == os.path.dirname(__file__):  # noqa: PTH120 - pathlib need not be imported yet
    del sys.path[0]  # the directory of this file is not for imports

from ipykernel import kernelapp  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    kernelapp.launch_new_instance()
