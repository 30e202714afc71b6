"""The tree in the docstring is the tree there is; texts say what to do; data is in attributes."""

import pickle
import re
from typing import Any

import pytest

import jupyter_kernel_mgmt
from jupyter_kernel_mgmt import ExitInfo, exceptions
from jupyter_kernel_mgmt.results import ErrorInfo, ExecutionResult
from jupyter_protocol import ChannelClosed, ProtocolError

FOREIGN = {
    "KeyError": KeyError,
    "TimeoutError": TimeoutError,
    "ChannelClosed": ChannelClosed,
    "ValueError": ValueError,
}
RESULT = ExecutionResult("error", 1, [], ErrorInfo("ValueError", "no", ("line 1", "line 2")), None, 0)


def drawn() -> dict[str, tuple[str | None, str | None]]:
    """From the docstring: name → parent in the tree, and the other base in parentheses."""
    tree: dict[str, tuple[str | None, str | None]] = {}
    ancestors: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        match = re.match(r"    ((?:│   |    )*)(├── |└── )?([A-Z]\w+)(?: \((\w+)\))?", line)
        if match is None:
            continue
        depth = len(match[1]) // 4 + bool(match[2])
        tree[match[3]] = (ancestors[depth - 1] if depth else None, match[4])
        ancestors[depth:] = [match[3]]
    return tree


def defined() -> dict[str, type[BaseException]]:
    return {
        name: kind
        for name, kind in vars(exceptions).items()
        if isinstance(kind, type)
        and issubclass(kind, BaseException)
        and kind.__module__ == exceptions.__name__
        and not name.startswith("_")
    }


def test_the_tree_is_drawn_in_full() -> None:
    """Every error is in the drawing, in its place."""
    tree = drawn()

    assert tree.keys() == defined().keys()
    for name, (parent, other) in tree.items():
        kind = defined()[name]
        if parent is not None:
            assert issubclass(kind, defined()[parent])
        if other is not None:
            assert issubclass(kind, FOREIGN[other])
        public = {base.__name__ for base in kind.__mro__[1:]} & defined().keys()
        assert (parent in public) if parent else not public


def test_every_error_is_exported() -> None:
    """Whoever catches one finds it in the package."""
    for name in defined():
        assert name in jupyter_kernel_mgmt.__all__


def test_errors_of_the_layer_below_pass_unchanged() -> None:
    """Only a closed client is both."""
    both = [name for name, kind in defined().items() if issubclass(kind, ProtocolError)]

    assert both == ["ClientClosed"]


@pytest.mark.parametrize(
    ("wanted", "known", "near"),
    [
        ("spec/pyton3", ["spec/python3", "spec/ir"], ["spec/python3"]),
        ("spec/PYTHON", ["spec/python3", "spec/ir"], ["spec/python3"]),
        ("python3", ["spec/python3"], ["spec/python3"]),
        ("spec/python3", ["environments/python3"], ["environments/python3"]),
        ("spec/completely-different", ["spec/ir"], []),
        ("spec/x", [], []),
    ],
)
def test_near_names_are_suggested(wanted: str, known: list[str], near: list[str]) -> None:
    """Case does not matter, and the provider may be another one."""
    error = exceptions.NoSuchKernel(wanted, known=known)

    assert error.suggestions == near
    assert (f"did you mean {near[0]!r}" in str(error)) if near else ("did you mean" not in str(error))


def test_no_such_kernel_says_what_there_is_and_where_was_looked() -> None:
    """A sentence, although it is a KeyError too."""
    error = exceptions.NoSuchKernel("spec/zz", known=["spec/b", "spec/a"], searched=["/one", "/two"])

    text = "there is no kernel type 'spec/zz'; there are spec/a, spec/b (looked in /one, /two)"
    assert str(error) == text
    with pytest.raises(KeyError):
        raise error


INFO = ExitInfo(-9, reason="out of memory", output_tail="last words\n")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (exceptions.LaunchError("no"), "no"),
        (
            exceptions.LaunchError("no", exit_info=INFO, command=["run", "-f", "x"]),
            "no\ncommand: run -f x\nthe end of its output:\nlast words",
        ),
        (exceptions.StartupTimeout("slow", exit_info=ExitInfo(output_tail="")), "slow"),
        (exceptions.KernelDied(), "the kernel died"),
        (
            exceptions.KernelDied(INFO),
            "the kernel died: ended by SIGKILL (out of memory)\nthe end of its output:\nlast words",
        ),
        (exceptions.KernelDied(ExitInfo(3)), "the kernel died: exit code 3"),
        (exceptions.KernelRestarted(INFO), "the kernel was restarted before it answered"),
        (exceptions.ClientClosed(), "the client is closed"),
        (exceptions.ClientClosed("lost"), "lost"),
        (exceptions.ExecutionError(RESULT), "ValueError: no\nline 1\nline 2"),
        (exceptions.ExecutionInterrupted(RESULT), "the execution was interrupted"),
        (exceptions.ExecutionAborted(RESULT), "the execution was aborted: an earlier request failed"),
        (exceptions.Unsupported("prefix", "not here"), "prefix: not here"),
        (exceptions.NoSuchProvider("none"), "none"),
        (exceptions.NotOwned("no"), "no"),
        (exceptions.RestartFailed("no"), "no"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_texts(error: Exception, text: str) -> None:
    """What happened, and what is known about it."""
    assert str(error) == text


def test_data_is_in_attributes() -> None:
    """Nobody has to take texts apart."""
    launch = exceptions.LaunchError("no", exit_info=INFO, command=["run"])
    assert (launch.exit_info, launch.command) == (INFO, ("run",))
    died = exceptions.KernelDied(INFO, RESULT)
    assert (died.exit_info, died.result) == (INFO, RESULT)
    assert exceptions.ClientClosed(result=RESULT).result is RESULT
    assert exceptions.ExecutionError(RESULT).result is RESULT
    assert exceptions.Unsupported("prefix", "no").option == "prefix"
    missing = exceptions.NoSuchKernel("a", known=["b"], searched=["c"])
    assert (missing.kernel_type, missing.known, missing.searched) == ("a", ("b",), ("c",))


@pytest.mark.parametrize(
    "error",
    [
        exceptions.NoSuchKernel("a", known=["b"], searched=["c"]),
        exceptions.LaunchError("no", exit_info=INFO, command=["run"]),
        exceptions.KernelDied(INFO),
        exceptions.ClientClosed("lost", result=RESULT),
        exceptions.ExecutionError(RESULT),
        exceptions.Unsupported("prefix", "no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_travel_between_processes(error: Any) -> None:
    """Pools of processes pickle what was raised."""
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_an_execution_error_without_details_still_says_something() -> None:
    """Some kernels tell nothing."""
    bare = ExecutionResult("error", None, [], None, None, 0)

    assert str(exceptions.ExecutionError(bare)) == "the code failed"
