"""The environment of a kernel's process. Plain functions."""

import os
import string
import sys
from collections.abc import Mapping

from ..agent.far_end.ward import MARK
from ..exceptions import Unsupported
from ..launching import EnvPolicy

_NEEDED = frozenset({"SYSTEMROOT"} if sys.platform == "win32" else ())
"""Without these no process starts."""


def kernel_environment(
    inherited: Mapping[str, str],
    spec: Mapping[str, str],
    request: Mapping[str, str],
    policy: EnvPolicy = "inherit",
    *,
    mark: str = "",
) -> dict[str, str]:
    """The environment of a kernel: what it inherits of ours, then the kernelspec's, then the request's.

    ``${NAME}`` in the kernelspec's values is replaced from ours, inherited or not: its author named it.
    ``mark`` is what tells the kernel's descendants from other processes. Raises `Unsupported` for a policy
    that is none. Source: How kernels work, "Kernel specs" (``env``).
    """
    env = _inherit(inherited, policy)
    env.pop("PYTHONEXECUTABLE", None)  # it would make another Python believe that it is this one
    env |= {name: string.Template(value).safe_substitute(inherited) for name, value in spec.items()}
    env |= request
    env["JPY_PARENT_PID"] = str(os.getpid())
    if mark:
        env[MARK] = mark
    return env


def _inherit(inherited: Mapping[str, str], policy: EnvPolicy) -> dict[str, str]:
    if policy == "inherit":
        return dict(inherited)
    if policy == "replace":
        allowed = _NEEDED
    elif isinstance(policy, str):
        raise Unsupported("env_policy", f"{policy!r} is not 'inherit', 'replace' or a collection of names")
    else:
        allowed = _NEEDED | frozenset(policy)
    return {name: value for name, value in inherited.items() if name in allowed}
