# PYTHON_ARGCOMPLETE_OK
"""``python -m jupyter_kernel_mgmt.cli``, for where the command is not on the path."""

import sys

from .program import main

sys.exit(main())
