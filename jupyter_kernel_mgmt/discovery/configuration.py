"""`Configuration`: options for the finder and for providers, from TOML files in Jupyter's configuration path.

::

    [finder]
    search_timeout = 5.0                        # seconds that a provider may search
    hide = ["spec/old-*"]                       # not listed; can still be launched by name
    order = ["environments/*", "spec/python3"]  # what comes first, where kernel types are ordered
    [finder.rename]
    "spec/python3" = "Python, as installed"     # display names

    [providers.environments]                    # whatever the provider takes; see its documentation
    projects = ["/home/me/work"]

Source: Jupyter's configuration path (``jupyter --paths``); the first file that has an option wins.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from jupyter_core.paths import jupyter_config_path

from ..exceptions import BadConfiguration
from .names import split_kernel_type
from .toml_lines import line_of

FILE_NAME = "jupyter_kernel_mgmt.toml"

_FINDER = ("search_timeout", "hide", "order", "rename")
_TABLES = ("finder", "providers")


@dataclass(frozen=True, slots=True)
class FinderOptions:
    """The table ``[finder]``; None where nothing is said."""

    search_timeout: float | None = None
    hide: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)


class Configuration:
    """What was configured, and where.

    ``finder`` are the options of the finder, ``providers`` those of each provider by its id. Raises
    `BadConfiguration` for what cannot be meant, naming file and line where there are any.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, *, file: Path | None = None) -> None:
        self._texts = {} if file is None else {file: _read(file)}
        self._sources: dict[tuple[str, ...], Path | None] = {}
        self.providers: dict[str, dict[str, Any]] = {}
        table = dict(values or {}) if file is None else _parse(file, self._texts[file])
        for name in table:
            if name not in _TABLES:
                raise self._wrong(
                    (name,), file, f"there is no table {name!r}; there are 'finder', 'providers'"
                )
        self._finder = self._table(table, ("finder",), file)
        for provider_id, options in self._table(table, ("providers",), file).items():
            self.providers[provider_id] = self._table(
                {provider_id: options}, ("providers", provider_id), file
            )
        self.finder = self._finder_options()

    @classmethod
    def load(cls, files: Sequence[Path] | None = None) -> Self:
        """Read the files that exist, by default `FILE_NAME` in each directory of Jupyter's path; blocks."""
        if files is None:
            files = [Path(directory) / FILE_NAME for directory in jupyter_config_path()]
        merged = cls()
        for file in files:
            if os.path.isfile(file):  # noqa: PTH113 - never raises, as where the directory is closed to us
                merged._add(cls(file=file))
        return merged

    def error(self, path: tuple[str, ...], text: str) -> BadConfiguration:
        """That something is wrong with an option, as ``("providers", "spec", "directories")``, and where."""
        file = self._sources.get(path)
        line = None if file is None else line_of(self._texts[file], path)
        return BadConfiguration(".".join(path), text, file=file, line=line)

    def _add(self, other: Self) -> None:
        """Take over what is not set here yet."""
        self._texts.update(other._texts)
        for path, file in other._sources.items():
            self._sources.setdefault(path, file)
        self._finder = {**other._finder, **self._finder}
        self.finder = self._finder_options()
        for provider_id, options in other.providers.items():
            self.providers[provider_id] = {**options, **self.providers.get(provider_id, {})}

    def _table(self, parent: Mapping[str, Any], path: tuple[str, ...], file: Path | None) -> dict[str, Any]:
        self._sources[path] = file
        table = parent.get(path[-1], {})
        if not isinstance(table, Mapping):
            raise self.error(path, f"must be a table, not {table!r}")
        for name in table:
            self._sources[(*path, name)] = file
        return dict(table)

    def _finder_options(self) -> FinderOptions:
        options = self._finder
        for name in options:
            if name not in _FINDER:
                raise self.error(("finder", name), f"there is no such option; there are {', '.join(_FINDER)}")
        timeout = options.get("search_timeout")
        if timeout is not None and (type(timeout) not in (int, float) or not timeout > 0):
            raise self.error(("finder", "search_timeout"), f"must be a number of seconds, not {timeout!r}")
        rename = options.get("rename", {})
        if not isinstance(rename, Mapping) or not all(isinstance(name, str) for name in rename.values()):
            raise self.error(("finder", "rename"), "must be a table of display names by kernel type")
        return FinderOptions(
            search_timeout=timeout,
            hide=self._patterns("hide"),
            order=self._patterns("order"),
            rename={_whole(kernel_type): name for kernel_type, name in rename.items()},
        )

    def _patterns(self, name: str) -> tuple[str, ...]:
        patterns = self._finder.get(name, [])
        if not isinstance(patterns, list | tuple) or not all(isinstance(item, str) for item in patterns):
            raise self.error(
                ("finder", name), f"must be a list of patterns such as 'spec/*', not {patterns!r}"
            )
        return tuple(pattern if pattern == "*" else _whole(pattern) for pattern in patterns)

    def _wrong(self, path: tuple[str, ...], file: Path | None, text: str) -> BadConfiguration:
        self._sources[path] = file
        return self.error(path, text)


def _whole(kernel_type: str) -> str:
    return "/".join(split_kernel_type(kernel_type))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration("", f"cannot be read: {error}", file=file) from error


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:  # its text names the line
        raise BadConfiguration("", f"is not TOML: {error}", file=file) from error
