"""What is sent to a warm kernel when it is handed out: code that sets directory and environment, by language.

The code runs silently and leaves no name in the user's namespace. The first that runs remembers how it found
the kernel; each begins with restoring that, so that nothing is left of what the holder before was given.
"""

import shlex
from collections.abc import Callable, Mapping

Preparing = Callable[[str | None, Mapping[str, str]], str]
"""Makes the code from a directory, None for the one that it began in, and variables to add."""

_PYTHON = """
import os, sys
start = sys.__dict__.setdefault('__jupyter_kernel_mgmt_start__', (os.getcwd(), dict(os.environ)))
os.chdir(start[0] if cwd is None else cwd)
wanted = {**start[1], **env}
for name in [name for name in os.environ if name not in wanted]:
    del os.environ[name]
os.environ.update({name: value for name, value in wanted.items() if os.environ.get(name) != value})
"""


def python(cwd: str | None, env: Mapping[str, str]) -> str:
    """For IPython and other Python kernels: one call, whose names are its own."""
    names = f"{{'cwd': {cwd!r}, 'env': {dict(env)!r}}}"
    return f"__import__('builtins').exec({_PYTHON!r}, {names})"


_BASH = """\
[ -n "${_JKM_START+x}" ] || { _JKM_START=$(export -p); _JKM_PWD=$PWD; }
for _JKM_NAME in $(compgen -e); do unset -v "$_JKM_NAME"; done 2>/dev/null; eval "$_JKM_START" 2>/dev/null"""


def bash(cwd: str | None, env: Mapping[str, str]) -> str:
    """For bash_kernel, which tells the exit code of the last command; terminals cut long lines."""
    directory = '"$_JKM_PWD"' if cwd is None else _bash_word(cwd)
    change = f"cd -- {directory} 2>&1"
    exports = [f"export {name}={_bash_word(value)}" for name, value in env.items()]
    return "\n".join([_BASH, *exports, change])


def _bash_word(text: str) -> str:
    """Quoted for bash; in one line, whatever is in it."""
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join(c if c.isprintable() and c not in "\\'" else f"\\U{ord(c):08x}" for c in text)
    return f"$'{escaped}'"


PREPARING: Mapping[str, Preparing] = {"python": python, "bash": bash}
"""By the name in ``language_info``. Kernels of other languages are only asked whether they are there."""
