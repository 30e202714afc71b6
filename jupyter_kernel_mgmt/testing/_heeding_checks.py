"""Whether a Python kernel runs where, and with what, the request said: nothing is ignored in silence."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ..exceptions import Unsupported
from ..kernel import Kernel
from ..launching import Launched, LaunchRequest
from ._promises import require

VARIABLE = "JUPYTER_KERNEL_MGMT_CHECK"
_ASK = f"import json, os; print(json.dumps([os.getcwd(), os.environ.get({VARIABLE!r})]))"

Launch = Callable[[LaunchRequest], Awaitable[Launched]]


async def check_heeded(launch: Launch, params: dict[str, Any], timeout: float) -> None:
    """Ask for a directory and a variable; the provider may refuse either with `Unsupported`."""
    root = Path(Path.cwd().anchor)  # a directory that any machine has, whichever the kernel runs on
    asked: dict[str, Any] = {"cwd": root, "env": {VARIABLE: "set"}}
    launched = await _launch_with_what_is_taken(launch, params, asked)
    async with await Kernel.from_launched(launched, startup_timeout=timeout) as kernel:
        result = await kernel.execute(_ASK, timeout=timeout)
    require(result.status == "ok", f"let a Python kernel run {_ASK!r}; its status is {result.status!r}")
    cwd, value = json.loads(result.stdout)
    for option, is_heeded, seen in [
        ("cwd", Path(cwd) == root, f"the kernel runs in {cwd}"),
        ("env", value == "set", f"the kernel's {VARIABLE} is {value!r}"),
    ]:
        require(
            option not in asked or is_heeded,
            f"heed {option} of the LaunchRequest, or raise Unsupported({option!r}, …) where it is given: an "
            f"option is never ignored in silence; {seen}",
        )


async def _launch_with_what_is_taken(
    launch: Launch, params: dict[str, Any], asked: dict[str, Any]
) -> Launched:
    """Launch with what is asked for; what is refused is taken out of it."""
    while True:
        try:
            return await launch(LaunchRequest(launch_params=params, **asked))
        except Unsupported as error:
            if error.option not in asked:
                raise
            del asked[error.option]
