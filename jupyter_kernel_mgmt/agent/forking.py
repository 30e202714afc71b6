"""What a fork cannot change, since it was settled when the interpreter started."""

from collections.abc import Mapping

_PREFIXES = ("PYTHON", "PYDEVD_", "LD_", "DYLD_", "MALLOC_")
_NAMES = frozenset({"LANG", "LC_ALL", "LC_CTYPE", "GLIBC_TUNABLES"})
_READ_LATER = frozenset({"PYTHONSTARTUP", "PYTHONBREAKPOINT", "PYTHONEXECUTABLE"})

IPYKERNEL_MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "faulthandler",
    "pdb",
    "resource",
    "sqlite3",
    "tornado.locks",
    "tornado.platform.asyncio",
    "tornado.queues",
)
"""What an ipykernel imports until it has executed its first cell. None of them starts a thread, opens a
descriptor or makes a ZMQ context (ipykernel 6 and 7); one that is missing is told and does no harm."""

IPYKERNEL_ENTRY = "ipykernel.kernelapp:launch_new_instance"


def _is_settled(name: str) -> bool:
    return (name.startswith(_PREFIXES) or name in _NAMES) and name not in _READ_LATER


def interpreter_environment(ours: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """That of an agent whose forks can have ``wanted``, and of which nothing else is theirs or others'.

    What an interpreter settles when it starts is from ``wanted``, all else from ``ours``: the environment
    in which a process was started can be read for as long as it and its forks live.
    """
    return {
        **{name: value for name, value in ours.items() if not _is_settled(name)},
        **{name: value for name, value in wanted.items() if _is_settled(name)},
    }


def needs_new_interpreter(agent: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """The variables because of which an environment cannot be had by a fork, in order; mostly none.

    ``agent`` is the environment of the prepared agent, ``wanted`` the whole one that a kernel should have.
    Python, the dynamic loader and the C library looked at these before the fork, or at import.
    """
    return sorted(
        name for name in {*agent, *wanted} if _is_settled(name) and agent.get(name) != wanted.get(name)
    )
