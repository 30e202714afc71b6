"""What kernel types of environments are called: for programs, stable, and for users. Plain functions."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .environment import PROJECT_NAMES, Environment

JOINT = "--"
"""Between the environment's name and the kernel's; it is in no environment's name."""

_HASH_LENGTH = 7


@dataclass(frozen=True, slots=True)
class Named:
    """An environment with its names. ``long`` is its alone for as long as it stays where it is.

    ``name`` is the short one where no other environment has the same, else the long one. ``where`` is for
    users: it tells those of one name apart.
    """

    environment: Environment
    name: str
    long: str
    where: str

    def kernel_type(self, kernel: str) -> str:
        """The name of a kernel type, without the provider's id."""
        return f"{self.name}{JOINT}{kernel}"

    def display_name(self, title: str) -> str:
        """Such as ``Python 3.11 (myproject, .venv)``."""
        return f"{title} ({self.where})"


def named(environments: Sequence[Environment], *, home: Path | None) -> list[Named]:
    """Names for environments that are found together, in their order.

    What each is called depends on the others only where they share a name, and then all of these have their
    long names; those can be used at any time.
    """
    shorts = [slug(environment.name) for environment in environments]
    longs = [_long(short, environment) for short, environment in zip(shorts, environments, strict=True)]
    counted = Counter([*shorts, *longs])
    found = []
    for environment, short, long in zip(environments, shorts, longs, strict=True):
        alone = bool(short) and counted[short] == 1
        where = f"{environment.name}, {_how(environment) if alone else _shown(environment.prefix, home)}"
        found.append(Named(environment, short if alone else long, long, where))
    return found


def slug(name: str) -> str:
    """A name in lower case, of the characters that kernel types may have; empty if none is left."""
    return re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9._-]+", "-", name.lower())).strip("-.")


def candidates(named: Sequence[Named], kernel_type: str) -> Iterator[tuple[Named, str]]:
    """The environment that a kernel type's name means, by either of its names, and the kernel's name."""
    name, _, kernel = kernel_type.lower().partition(JOINT)
    for one in named:
        if name in (one.name, one.long):
            yield one, kernel


def _long(short: str, environment: Environment) -> str:
    """With a hash of the path, as it is spelled: looking through links would change it with them."""
    digest = hashlib.sha256(os.fsencode(environment.prefix)).hexdigest()[:_HASH_LENGTH]
    return f"{short or 'environment'}-{digest}"


def _how(environment: Environment) -> str:
    """What users know it by: the directory in its project, or the tool."""
    return environment.prefix.name if environment.prefix.name in PROJECT_NAMES else environment.kind


def _shown(prefix: Path, home: Path | None) -> str:
    if home is not None and prefix.is_relative_to(home):
        return str(Path("~") / prefix.relative_to(home))
    return str(prefix)
