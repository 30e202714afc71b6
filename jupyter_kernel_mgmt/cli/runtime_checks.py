"""Checks of Jupyter's runtime directory, where connection files with kernels' keys lie."""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from .findings import Finding


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """What was seen of a directory; ``mode`` is None where it does not exist, ``ours`` whether we own it."""

    path: Path
    mode: int | None = None
    ours: bool = True
    writable: bool = True


def check_runtime_directory(
    facts: DirectoryFacts, *, windows: bool = sys.platform == "win32"
) -> list[Finding]:
    """Whether it is one, is ours alone, and can be written to. Windows has other permissions."""
    where, path = str(facts.path), facts.path
    elsewhere = "or set JUPYTER_RUNTIME_DIR to a directory of your own"
    if facts.mode is None:
        if facts.writable:
            return [Finding("info", where, "it does not exist yet; the first kernel makes it")]
        what = "it does not exist and cannot be made"
        return [Finding("error", where, what, f"make {path.parent} writable, {elsewhere}")]
    if not stat.S_ISDIR(facts.mode):
        return [Finding("error", where, "it is no directory", f"move it away, {elsewhere}")]
    findings = []
    if not facts.ours:
        what = "it belongs to somebody else, who can read the keys of your kernels"
        findings.append(Finding("error", where, what, "set JUPYTER_RUNTIME_DIR to a directory of your own"))
    if not facts.writable:
        findings.append(Finding("error", where, "it is not writable", f"chmod u+rwx {path}, {elsewhere}"))
    if not windows and facts.mode & 0o022:
        what = f"others may put files into it (mode {facts.mode & 0o777:03o})"
        findings.append(Finding("error", where, what, f"chmod 700 {path}"))
    elif not windows and facts.mode & 0o077:
        what = f"others may look into it (mode {facts.mode & 0o777:03o})"
        findings.append(Finding("warning", where, what, f"chmod 700 {path}"))
    return findings


def look_at_directory(path: Path) -> DirectoryFacts:
    """See what is there."""
    try:
        found = path.stat()
    except OSError:
        nearest = next(parent for parent in path.absolute().parents if parent.exists())
        return DirectoryFacts(path, writable=nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK))
    ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    return DirectoryFacts(path, found.st_mode, ours, os.access(path, os.W_OK | os.X_OK))
