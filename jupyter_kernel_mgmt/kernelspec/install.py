"""Installing and removing kernelspecs, wholly or not at all. The functions block while they copy files.

A kernelspec comes and goes by renaming. What is not finished, or not yet gone, is in a directory beside it
whose name no kernelspec can have, so that neither we nor Jupyter take it for one.

Source: How kernels work, "Kernel specs"; jupyter_client, ``jupyter kernelspec install``.
"""

import errno
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..exceptions import AlreadyInstalled, InstallError
from ..launching import InterruptMode
from .places import administrator, jupyter_roots, kernels_directory, wrong_with_name
from .reading import (
    KernelSpec,
    find_kernelspec,
    kernelspec_from_dict,
    no_such_kernelspec,
    read_kernelspec,
)

log = logging.getLogger(__name__)

_UNFINISHED = ".unfinished~"
"""What the names of directories begin with that are no kernelspecs yet, or not any more."""

_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def install_kernelspec(
    source: str | os.PathLike[str],
    name: str | None = None,
    *,
    user: bool = False,
    prefix: str | os.PathLike[str] | None = None,
    replace: bool = False,
) -> KernelSpec:
    """Install a copy of a directory with a kernel.json and resources, and return what was installed.

    ``name`` is by default that of the directory; it is installed in lower case. Without ``user`` or
    ``prefix`` it is for all users, as with Jupyter. With ``replace`` it takes the place of one that is there.
    Links in the directory must lead to files in it, and become files.

    Raises `BadKernelSpec` for a directory without a usable kernel.json, `AlreadyInstalled`, `InstallError`
    or `ValueError` for a bad name; then everything is as it was.
    """
    directory = Path(source)
    read_kernelspec(directory)
    real = Path(os.path.realpath(directory))
    checked = checked_name(real.name if name is None else name)
    kernels = destination(user=user, prefix=prefix)
    if Path(os.path.realpath(kernels)).is_relative_to(real):
        raise InstallError(f"{kernels} is within {directory}, which would be copied into itself")
    return _install(kernels, checked, lambda new: _copy_tree(real, new, root=real), replace=replace)


def install_kernelspec_from_values(
    name: str,
    argv: Sequence[str],
    *,
    display_name: str,
    language: str,
    interrupt_mode: InterruptMode | None = None,
    env: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    protocol_version: str = "",
    resources: Iterable[str | os.PathLike[str]] = (),
    user: bool = False,
    prefix: str | os.PathLike[str] | None = None,
    replace: bool = False,
) -> KernelSpec:
    """The same for a kernel.json that is written from these values, with copies of the ``resources``.

    Raises `BadKernelSpec` where they make no kernelspec, and as `install_kernelspec` does.
    """
    optional = {
        "interrupt_mode": interrupt_mode,
        "env": dict(env or {}),
        "metadata": dict(metadata or {}),
        "kernel_protocol_version": protocol_version,
    }
    spec = {
        "argv": [*argv],
        "display_name": display_name,
        "language": language,
        **{key: value for key, value in optional.items() if value},
    }
    checked = checked_name(name)
    kernels = destination(user=user, prefix=prefix)
    kernelspec_from_dict(spec, kernels / checked)
    text = json.dumps(spec, indent=1, ensure_ascii=False) + "\n"

    def fill(new: Path) -> None:
        new.mkdir()
        for resource in map(Path, resources):
            _copy_file(resource, new / resource.name)
        (new / "kernel.json").write_text(text, encoding="utf-8")

    return _install(kernels, checked, fill, replace=replace)


def remove_kernelspec(name: str, directories: Sequence[Path] | None = None) -> Path:
    """Remove the first kernelspec of that name, good or bad, and return where it was.

    One of that name in a later directory is the first then. Of a link the link is removed. Raises
    `NoSuchKernel`, or `InstallError` where it may not be removed.
    """
    try:
        directory = find_kernelspec(name, directories)
    except KeyError:
        raise no_such_kernelspec(name, directories) from None
    try:
        with _aside(directory.parent) as aside:
            old = aside / "old"
            directory.rename(old)
            try:
                _discard(old)
            except OSError as error:
                raise InstallError(
                    f"{directory} is no kernelspec any more, but {old} stays: {error}"
                ) from error
    except OSError as error:
        raise _explained(error, directory.parent, "removed") from error
    return directory


def unfinished(directories: Sequence[Path]) -> list[Path]:
    """What installing or removing left behind when it was killed, or is at just now."""
    return [path for directory in directories for path in sorted(directory.glob(f"{_UNFINISHED}*"))]


def destination(*, user: bool = False, prefix: str | os.PathLike[str] | None = None) -> Path:
    """The directory that kernelspecs are installed into: this user's, a prefix's, or that for all users.

    Raises `ValueError` where both are given.
    """
    where = None if prefix is None else Path(os.path.abspath(prefix))  # noqa: PTH100 - links stay as they are
    return kernels_directory(jupyter_roots(), user=user, prefix=where)


def checked_name(name: str, *, platform: str = sys.platform) -> str:
    """The name as it is installed. Raises `ValueError`."""
    if wrong := wrong_with_name(name, platform):
        raise ValueError(f"{name!r} cannot be a kernelspec's name: {wrong}")
    return name.lower()


def _install(kernels: Path, name: str, fill: Callable[[Path], None], *, replace: bool) -> KernelSpec:
    try:
        existing = _existing(kernels, name)
        if existing and not replace:
            raise AlreadyInstalled(name, existing[0])
        kernels.mkdir(parents=True, exist_ok=True)
        with _aside(kernels) as aside:
            new = aside / "new"
            try:
                fill(new)
                _swap(new, kernels / name, existing, aside)
            finally:
                if new.exists():
                    _discard(new)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY) and _existing(kernels, name):
            raise AlreadyInstalled(name, kernels / name) from error  # somebody else was faster
        raise _explained(error, kernels, "installed") from error
    return read_kernelspec(kernels / name)


def _existing(kernels: Path, name: str) -> list[Path]:
    """Whatever has that name, in any case, whether it is a kernelspec or not."""
    try:
        return sorted(entry for entry in kernels.iterdir() if entry.name.lower() == name)
    except FileNotFoundError:
        return []


@contextmanager
def _aside(kernels: Path) -> Iterator[Path]:
    """A directory beside the kernelspecs, on the same file system; gone afterwards if it is empty."""
    aside = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=kernels))
    try:
        yield aside
    finally:
        with suppress(OSError):
            aside.rmdir()


def _swap(new: Path, place: Path, existing: Sequence[Path], aside: Path) -> None:
    """Put the new directory into its place, and what was there out of it; or leave all as it was."""
    moved = [(old, aside / f"old-{number}") for number, old in enumerate(existing)]
    try:
        for old, kept in moved:
            old.rename(kept)
        new.rename(place)
    except BaseException:
        for old, kept in moved:
            if _is_there(kept) and not _is_there(old):
                _put_back(kept, old)
        raise
    for _, kept in moved:
        try:
            _discard(kept)
        except OSError as error:
            log.warning("The kernelspec is replaced, but the old one stays in %s: %s", kept, error)


def _put_back(kept: Path, old: Path) -> None:
    try:
        kept.rename(old)
    except OSError as error:
        raise InstallError(f"what was in {old} is now in {kept}, and cannot be put back: {error}") from error


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _discard(path: Path) -> None:
    """Remove it; a link and not what it leads to."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    else:
        shutil.rmtree(path)


def _copy_tree(source: Path, target: Path, *, root: Path) -> None:
    """Copy files and directories. Raises `InstallError` for anything else, and for links out of the root."""
    target.mkdir()
    for path in sorted(source.iterdir()):
        if path.is_symlink():
            real = Path(os.path.realpath(path, strict=True))
            if not real.is_relative_to(root):
                raise InstallError(f"{path} is a link that leads out of {root}: put the file itself there")
            if not real.is_file():
                raise InstallError(f"{path} is a link, but not to a file")
        if path.is_file():
            _copy_file(path, target / path.name)
        elif path.is_dir():
            _copy_tree(path, target / path.name, root=root)
        else:
            raise InstallError(f"{path} is neither a file nor a directory")


def _copy_file(source: Path, target: Path) -> None:
    """Copy the content, and whether it can be executed; who may read it is the umask's business."""
    shutil.copyfile(source, target)
    if source.stat().st_mode & 0o111:
        mode = target.stat().st_mode
        target.chmod(mode | (mode & 0o444) >> 2)


def _explained(error: OSError, kernels: Path, done: str) -> InstallError:
    """What to do where something may not be written."""
    file = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else kernels
    if file.parent == kernels and file.name.startswith(_UNFINISHED):
        file = kernels  # in which it could not be made
    text = f"{file}: {error.strerror or error}"
    ours = file.is_relative_to(kernels) or kernels.is_relative_to(file)
    if error.errno not in _FORBIDDEN or not ours:
        return InstallError(text)
    who = administrator(sys.platform)
    if done == "installed":
        todo = f"install it for yourself (--user), into an environment of yours (--prefix), or as {who}"
    else:
        todo = f"it has to be {done} by whoever owns {kernels}, or by {who}"
    return InstallError(f"{text}; {todo}")
