"""The environment of a kernel's process. Plain functions."""

import os
import string
import sys
from collections.abc import Mapping
from types import MappingProxyType

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
    changes: Mapping[str, str | None] = MappingProxyType({}),
) -> dict[str, str]:
    """The environment of a kernel: what it inherits of ours, then the kernelspec's, then the request's.

    ``changes`` are made to what it inherits, as they are; None removes a variable. ``${NAME}`` in the
    kernelspec's values is replaced from ours with the changes, inherited or not: its author named it.
    ``mark`` is what tells the kernel's descendants from other processes. Raises `Unsupported` for a policy
    that is none. Source: How kernels work, "Kernel specs" (``env``).
    """
    env = inherit(inherited, policy)
    env.pop("PYTHONEXECUTABLE", None)  # it would make another Python believe that it is this one
    env = changed(env, changes)
    ours = changed(inherited, changes)
    env |= {name: string.Template(value).safe_substitute(ours) for name, value in spec.items()}
    env |= request
    env["JPY_PARENT_PID"] = str(os.getpid())
    if mark:
        env[MARK] = mark
    return env


def changed(variables: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """The variables after these changes; None removes one."""
    return {name: value for name, value in {**variables, **changes}.items() if value is not None}


def inherit(inherited: Mapping[str, str], policy: EnvPolicy) -> dict[str, str]:
    """What a kernel inherits of ours. Raises `Unsupported` for a policy that is none."""
    if policy == "inherit":
        return dict(inherited)
    if policy == "replace":
        allowed = _NEEDED
    elif isinstance(policy, str):
        raise Unsupported("env_policy", f"{policy!r} is not 'inherit', 'replace' or a collection of names")
    else:
        allowed = _NEEDED | frozenset(policy)
    return {name: value for name, value in inherited.items() if name in allowed}
