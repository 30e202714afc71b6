"""Outputs as nbformat wants them, whatever a kernel has sent. Pure.

What is written has to be read again: by whoever opens the notebook, and by a run that goes on with it.
"""

import json
from typing import Any

Output = dict[str, Any]


def tidy(output: Output) -> Output:
    """The output itself, changed where nbformat would refuse it.

    Data without a value is left out, and what should be text and is not is written as JSON. Source: nbformat
    4, "display_data" and "execute_result".
    """
    if "data" in output:
        output["data"] = {
            str(kind): value if _fits(str(kind), value) else json.dumps(value, default=str)
            for kind, value in output["data"].items()
            if value is not None
        }
    if output["output_type"] == "execute_result" and not isinstance(output.get("execution_count"), int):
        output["execution_count"] = None
    return output


def _fits(kind: str, value: object) -> bool:
    if kind.startswith("application/") and kind.endswith(("/json", "+json")):
        return True
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(line, str) for line in value)
    )
