"""What an application may set."""

from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt.providers.environments.environment import KINDS
from jupyter_kernel_mgmt.providers.environments.options import SHELL_TIMEOUT, Options, read_options


def test_nothing_need_be_set() -> None:
    """All kinds, and no place besides the usual."""
    assert read_options({}) == Options(roots=(), projects=(), kinds=KINDS, shell_timeout=SHELL_TIMEOUT)


def test_what_is_set_counts() -> None:
    """Home directories are filled in; kinds are in our order."""
    options = read_options(
        {"roots": ["/r", "~/x"], "projects": [Path("/p")], "kinds": ["uv", "conda"], "shell_timeout": 2}
    )

    assert options.roots == (Path("/r"), Path("~/x").expanduser())
    assert (options.projects, options.kinds, options.shell_timeout) == ((Path("/p"),), ("conda", "uv"), 2.0)


@pytest.mark.parametrize(
    ("config", "error", "text"),
    [
        ({"root": []}, ValueError, "root: there is no such option"),
        ({"roots": "/r"}, TypeError, "roots: it must be a list"),
        ({"roots": ["r"]}, ValueError, "roots: 'r' is no absolute path"),
        ({"roots": ["~nobody-has-this-name/x"]}, ValueError, "roots: "),
        ({"projects": [3]}, TypeError, "projects: it must be a list"),
        ({"kinds": ["anaconda"]}, ValueError, "kinds: 'anaconda' is none; there are conda, "),
        ({"shell_timeout": "3"}, TypeError, "shell_timeout: it must be a number"),
        ({"shell_timeout": True}, TypeError, "shell_timeout: it must be a number"),
        ({"allow_unconstrained_parameters": 1}, TypeError, "allow_unconstrained_parameters: it must be true"),
        ({"shell_timeout": 0}, ValueError, "shell_timeout: it must be more than 0"),
        ({"shell_timeout": float("inf")}, ValueError, "shell_timeout: "),
        ({"shell_timeout": float("nan")}, ValueError, "shell_timeout: "),
    ],
)
def test_what_cannot_be_is_refused(config: dict[str, Any], error: type[Exception], text: str) -> None:
    """The text begins with the option's name."""
    with pytest.raises(error) as caught:
        read_options(config)

    assert str(caught.value).startswith(text)
