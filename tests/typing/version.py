"""Both packages are typed for those who import them."""

from typing import assert_type

import jupyter_kernel_mgmt

assert_type(jupyter_kernel_mgmt.__version__, str)
