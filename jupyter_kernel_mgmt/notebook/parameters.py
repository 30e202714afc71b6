"""Parameters of a run."""

from typing import Any


class ParameterError(ValueError):
    """A parameter that cannot be given."""


def inject(
    cells: list[dict[str, Any]], parameters: dict[str, Any], language: str, new_id: Any
) -> list[dict[str, Any]]:
    """Cells with one that assigns the parameters."""
    return cells
