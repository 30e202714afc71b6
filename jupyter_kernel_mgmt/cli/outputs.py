"""Where the command writes the notebooks that it runs. Pure, but for looking whether a directory is there."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .program import UsageError


def output_paths(notebooks: Sequence[str], output: str | None, *, in_place: bool) -> list[Path]:
    """A path for each notebook: itself, a file, in a directory, or by a pattern with ``{name}``.

    Without any of these NAME.out.ipynb beside the notebook. Raises `UsageError` for two notebooks that would
    be written to one file, and for one that would be overwritten without ``in_place``.
    """
    if in_place:
        paths = [Path(notebook) for notebook in notebooks]
    else:
        paths = [_path(Path(notebook), output) for notebook in notebooks]
        for notebook, path in zip(notebooks, paths, strict=True):
            if os.path.realpath(path) == os.path.realpath(notebook):
                raise UsageError(f"{notebook} would be overwritten; say --in-place if that is what you want")
    for target, count in Counter(os.path.realpath(path) for path in paths).items():
        if count > 1:
            raise UsageError(f"{count} notebooks would be written to {target}; use {{name}} in --output")
    return paths


def _path(notebook: Path, output: str | None) -> Path:
    if output is None:
        return notebook.with_name(f"{notebook.stem}.out.ipynb")
    if "{name}" in output:
        return Path(output.replace("{name}", notebook.stem))
    if output.endswith(os.sep) or Path(output).is_dir():
        return Path(output) / notebook.name
    return Path(output)
