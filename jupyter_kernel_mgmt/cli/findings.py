"""`Finding`: something that `doctor` noticed, and what to do about it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .exit_codes import ExitCode

Severity = Literal["error", "warning", "info"]
"""An error keeps something from working, a warning may or is untidy; an info is nothing wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was noticed ``where`` (a file, directory, provider or package), and what ``todo``."""

    severity: Severity
    where: str
    what: str
    todo: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """Only errors and warnings are something wrong."""
    wrong = any(finding.severity != "info" for finding in findings)
    return ExitCode.FAILED if wrong else ExitCode.OK
