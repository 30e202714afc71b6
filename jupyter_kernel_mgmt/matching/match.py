"""`match_notebook`: which kernel types fit a notebook, best first, and why. Pure: no file is looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..launching import KernelTypeInfo
from .hints import read_hints
from .judging import Judged, Level, judge
from .record import is_usual, read_record

_ASKED_FOR = Level.NAMED
"""Up to this level the notebook means one kernel; another does not take its place unasked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A kernel type that fits, by what it does, and the reason in a sentence.

    ``rank`` is its place, from 0; nothing tells two of the same rank apart. One that is not ``launchable``
    comes after all that are, and its reason says what to do about it.
    """

    kernel_type: str
    info: KernelTypeInfo = field(repr=False)
    level: Level
    rank: int
    reason: str

    @property
    def launchable(self) -> bool:
        """Whether it can be launched as it is."""
        return not self.info.obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The first of the matches, and whether to take it without asking.

    ``rivals`` fit equally well. ``better`` would fit better, but cannot be launched. ``clear`` says that a
    person would choose the same; ``reason`` is that of the match, or why it is not clear.
    """

    match: Match
    rivals: tuple[Match, ...] = ()
    better: Match | None = None
    clear: bool
    reason: str


def match_notebook(
    metadata: Mapping[str, Any], known: Mapping[str, KernelTypeInfo], *, path: Path | None = None
) -> list[Match]:
    """The kernel types out of the known ones that fit a notebook, best first; empty if none does.

    ``metadata`` is the notebook's, and may be anything. ``path`` is its file, absolute: environments in its
    directory or the parents belong to its project (links are not followed: give the path that the
    environments' prefixes are spelled like). In this order: the kernel that the notebook records
    (`with_kernel`), its environment, a name that means one kernel, the project's own environment, a name
    that every kernel of the language has (``python3``, ``ir``), the same language and version, the same
    language. Among equals kernelspecs go before kernels inside of environments, and other projects'
    environments come last. The order is the same for any order of ``known``.

    Source: nbformat 4, "Notebook metadata" (kernelspec, language_info).
    """
    hints, record = read_hints(metadata), read_record(metadata)
    found: list[tuple[tuple[int, ...], str, KernelTypeInfo, Judged]] = []
    for kernel_type, info in known.items():
        judged = judge(hints, record, kernel_type, info, path, known)
        if judged is not None:
            order = (int(bool(info.obstacle)), judged.level, *judged.order)
            found.append((order, kernel_type, info, judged))
    found.sort(key=lambda item: (item[0], not is_usual(item[1], item[2].language), item[1]))
    ranks = {order: rank for rank, order in enumerate(dict.fromkeys(item[0] for item in found))}
    return [
        Match(
            kernel_type=kernel_type,
            info=info,
            level=judged.level,
            rank=ranks[order],
            reason=_with_obstacle(judged.reason, info.obstacle),
        )
        for order, kernel_type, info, judged in found
    ]


def best(matches: Sequence[Match]) -> Best | None:
    """The first of what `match_notebook` gives, and whether it is clear; None where there is none.

    It is clear if it can be launched, nothing else fits equally well, it is not another project's, nothing
    speaks against it, and no kernel that the notebook itself asks for is there, but cannot be launched.
    """
    if not matches:
        return None
    first = matches[0]
    if not first.launchable:
        return Best(match=first, clear=False, reason=first.reason)
    rivals = tuple(match for match in matches[1:] if match.rank == first.rank)
    blocked = (match for match in matches if not match.launchable and match.level < first.level)
    better = min(blocked, key=lambda match: match.rank, default=None)
    if better is not None and better.level <= _ASKED_FOR:
        reason = f"{better.kernel_type} is the one that the notebook asks for: {better.reason}"
        return Best(match=first, rivals=rivals, better=better, clear=False, reason=reason)
    if rivals:
        others = ", ".join(match.kernel_type for match in rivals)
        usual = is_usual(first.kernel_type, first.info.language)
        why = "the usual kernel of its language" if usual else "the first by name, and nothing else"
        reason = f"{first.reason}; {others} would fit equally well: it is {why}"
        return Best(match=first, rivals=rivals, better=better, clear=False, reason=reason)
    reason = first.reason
    if better is not None:
        reason = f"{reason}; {better.kernel_type} would be better: {better.reason}"
    return Best(match=first, better=better, clear=first.level < Level.ELSEWHERE, reason=reason)


def _with_obstacle(reason: str, obstacle: str) -> str:
    return f"{reason}, but it cannot be launched: {obstacle}" if obstacle else reason
