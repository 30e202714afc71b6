"""Running the activation scripts of an environment's packages, to learn what they do to variables."""

import asyncio
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...agent import Agent
from ...agent.far_end.ward import MARK
from ...exceptions import LaunchError
from .activation import difference

SHELLS = ("bash", "sh")
"""What runs them, the first that is there: they are meant for sh, and many are written for bash."""

PASSING = ("_", "SHLVL", "PWD", "OLDPWD", "JPY_PARENT_PID", MARK)
"""What a shell changes by being one, and what our own helper adds."""

_TELL = """\
import os, sys
mark, locale = sys.argv[1].encode(), sys.argv[2]
if not locale: os.environb.pop(b"LC_CTYPE", None)  # Python itself sets it
os.write(1, mark + b"".join(b"%b=%b\\0" % item for item in os.environb.items()) + mark)
"""

_SOURCE = """\
_jkm_python=$1 _jkm_tell=$2 _jkm_mark=$3
shift 3
for _jkm_script do . "$_jkm_script"; done
exec "$_jkm_python" -I -S -c "$_jkm_tell" "$_jkm_mark" "${LC_CTYPE-}"
"""


async def changes_of_scripts(
    scripts: Sequence[Path], variables: Mapping[str, str], *, timeout: float
) -> dict[str, str | None]:
    """Source scripts in one shell, in order, and return how the variables are different then.

    Raises `LaunchError` where a script ends the shell, or there is no result within ``timeout`` seconds.
    Whatever they started is ended, and nothing is left when this is cancelled or this process is killed.
    """
    shell = next((found for name in SHELLS if (found := shutil.which(name))), None)
    if shell is None:
        raise LaunchError(f"there is no shell to run {scripts[0]} with")
    mark = secrets.token_hex(16)
    argv = [shell, "-c", _SOURCE, "activate", sys.executable, _TELL, mark, *map(str, scripts)]
    try:
        async with asyncio.timeout(timeout):
            written = await _run(argv, variables)
    except TimeoutError:
        raise LaunchError(f"{_these(scripts)} did not end within {timeout:.1f} s") from None
    said, _, rest = written.partition(mark.encode())
    told, end, _ = rest.partition(mark.encode())
    if not end:
        text = f"{_these(scripts)} ended the shell that ran them"
        words = said.decode("utf-8", "replace").strip()
        raise LaunchError(f"{text}, and wrote: {words}" if words else text)
    return difference(variables, _parsed(told), but=PASSING)


async def _run(argv: Sequence[str], variables: Mapping[str, str]) -> bytes:
    """Run it to its end with just these variables; returns all that it wrote."""
    # A file without a name: no pipe that somebody holds open, no limit, and nothing to remove.
    with tempfile.TemporaryFile() as written:
        async with await Agent.start(isolated=True) as agent:
            process = await agent.spawn(argv, env=dict(variables), inherit=False, stdout=written.fileno())
            await process.wait()
        written.seek(0)
        return written.read()


def _parsed(content: bytes) -> dict[str, str]:
    pairs = (item.partition(b"=") for item in content.split(b"\0") if item)
    return {_text(name): _text(value) for name, _, value in pairs}


def _text(data: bytes) -> str:
    return data.decode(sys.getfilesystemencoding(), "surrogateescape")


def _these(scripts: Sequence[Path]) -> str:
    if len(scripts) == 1:
        return f"the activation script {scripts[0]}"
    return f"one of the activation scripts {', '.join(map(str, scripts))}"
