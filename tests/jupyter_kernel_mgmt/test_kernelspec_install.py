"""Installing and removing kernelspecs: wholly or not at all, and never beyond their directories."""

import errno
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import AlreadyInstalled, InstallError, NoSuchKernel
from jupyter_kernel_mgmt.kernelspec import BadKernelSpec, get_kernelspec, read_kernelspec
from jupyter_kernel_mgmt.kernelspec import install as kernelspec_install
from jupyter_kernel_mgmt.kernelspec.install import (
    checked_name,
    destination,
    install_kernelspec,
    install_kernelspec_from_values,
    remove_kernelspec,
    unfinished,
)
from jupyter_kernel_mgmt.kernelspec.places import jupyter_roots

GOOD = {"argv": ["run", "{connection_file}"], "display_name": "New", "language": "x"}
posix = pytest.mark.skipif(sys.platform == "win32", reason="of links and permissions")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory to install, with files beside kernel.json and deeper."""
    directory = tmp_path / "My.Kernel"
    (directory / "js").mkdir(parents=True)
    (directory / "kernel.json").write_text(json.dumps(GOOD))
    (directory / "logo.png").write_bytes(b"png")
    (directory / "js" / "x.js").write_text("x")
    (directory / "run").touch(0o755)
    return directory


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "prefix"


def installed(prefix: Path) -> dict[str, Any]:
    """All that is in a prefix's directory of kernelspecs, by path: content, or where a link leads."""
    kernels = prefix / "share" / "jupyter" / "kernels"
    return {
        str(path.relative_to(kernels)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in sorted(kernels.rglob("*"))
        if path.is_symlink() or path.is_file()
    } | {path.name: None for path in kernels.iterdir() if path.is_dir() and not any(path.iterdir())}


def spoil(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException, *, times: int = 1) -> None:
    """Have the copying of a file fail that is called so, or the renaming of something to that name."""
    copy, rename, failures = shutil.copyfile, Path.rename, [error] * times

    def failing_copy(source: Path, target: Path) -> Any:
        if target.name == name and failures:
            raise failures.pop()
        return copy(source, target)

    def failing_rename(self: Path, target: Path) -> Path:
        if target.name == name and failures:
            raise failures.pop()
        return rename(self, target)

    monkeypatch.setattr(shutil, "copyfile", failing_copy)
    monkeypatch.setattr(Path, "rename", failing_rename)


# Where


def test_a_destination_is_a_users_a_prefixs_or_that_of_all(
    jupyter_home: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prefix may be relative to where we are; both are refused."""
    assert destination(user=True) == jupyter_home / "data" / "kernels"
    assert destination(prefix=prefix) == prefix / "share" / "jupyter" / "kernels"
    assert destination() == jupyter_roots().system / "kernels"
    monkeypatch.chdir(prefix.parent)
    assert destination(prefix="prefix") == prefix / "share" / "jupyter" / "kernels"
    with pytest.raises(ValueError, match="not both"):
        destination(user=True, prefix=prefix)


def test_a_name_is_lowered_and_checked() -> None:
    """Before anything is done."""
    assert checked_name("My.Kernel") == "my.kernel"
    with pytest.raises(ValueError, match=r"'\.\.' cannot be a kernelspec's name"):
        checked_name("..")
    with pytest.raises(ValueError, match="Windows"):
        checked_name("con", platform="win32")


# Installing


def test_a_directory_is_installed_with_all_its_files(source: Path, prefix: Path) -> None:
    """By its own name in lower case; nothing else is left there."""
    spec = install_kernelspec(source, prefix=prefix)

    assert (spec.name, spec.display_name) == ("my.kernel", "New")
    assert spec.directory == prefix / "share" / "jupyter" / "kernels" / "my.kernel"
    assert installed(prefix) == {
        f"my.kernel/{name}": (source / name).read_text()
        for name in ("js/x.js", "kernel.json", "logo.png", "run")
    }
    if sys.platform != "win32":
        assert (spec.directory / "run").stat().st_mode & 0o100
        assert not (spec.directory / "logo.png").stat().st_mode & 0o100


def test_it_is_found_where_it_was_installed_for_a_user(source: Path, jupyter_home: Path) -> None:
    """By the name that was chosen."""
    install_kernelspec(source, "Other", user=True)
    assert get_kernelspec("other").directory == jupyter_home / "data" / "kernels" / "other"


def test_one_that_is_there_stays_unless_it_is_to_be_replaced(source: Path, prefix: Path) -> None:
    """In whatever case its name is written there; all of it goes."""
    old = prefix / "share" / "jupyter" / "kernels" / "MY.kernel"
    old.mkdir(parents=True)
    (old / "kernel.json").write_text("old")
    (old / "old.png").write_text("old")
    before = installed(prefix)

    with pytest.raises(AlreadyInstalled) as caught:
        install_kernelspec(source, prefix=prefix)
    assert (caught.value.name, caught.value.directory) == ("my.kernel", old)
    assert str(old) in str(caught.value)
    assert installed(prefix) == before

    install_kernelspec(source, prefix=prefix, replace=True)
    assert {name.partition("/")[0] for name in installed(prefix)} == {"my.kernel"}
    assert "my.kernel/old.png" not in installed(prefix)


def test_an_installed_one_can_be_replaced_by_itself(source: Path, prefix: Path) -> None:
    """What is copied is there until the copy is complete."""
    spec = install_kernelspec(source, prefix=prefix)
    before = installed(prefix)
    install_kernelspec(spec.directory, prefix=prefix, replace=True)
    assert installed(prefix) == before


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["logo.png", "my.kernel"])
@pytest.mark.parametrize("replace", [False, True])
def test_what_fails_halfway_leaves_all_as_it_was(
    source: Path,
    prefix: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    where: str,
    replace: bool,
) -> None:
    """Copying, or putting the copy into its place, whether another is there or not."""
    other = install_kernelspec(source, "my.kernel" if replace else "other", prefix=prefix)
    (other.directory / "mark").write_text("old")
    before = installed(prefix)
    spoil(monkeypatch, where, error)
    with pytest.raises(InstallError if isinstance(error, OSError) else KeyboardInterrupt):
        install_kernelspec(source, prefix=prefix, replace=replace)

    assert installed(prefix) == before


def test_an_old_one_that_cannot_be_put_back_is_not_lost(
    source: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked is told where it is."""
    old = install_kernelspec(source, prefix=prefix).directory
    spoil(monkeypatch, "my.kernel", OSError(errno.EIO, "Input/output error"), times=2)
    with pytest.raises(InstallError, match="cannot be put back") as caught:
        install_kernelspec(source, prefix=prefix, replace=True)

    (kept,) = old.parent.glob("*/old-0")
    assert unfinished([old.parent, prefix / "missing"]) == [kept.parent]
    assert f"what was in {old} is now in {kept}" in str(caught.value)
    assert read_kernelspec(kept).display_name == "New"


def test_somebody_who_was_faster_is_not_overwritten(
    source: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their kernelspec came while ours was copied."""
    copy = kernelspec_install._copy_file
    theirs = prefix / "share" / "jupyter" / "kernels" / "my.kernel"

    def slow(source: Path, target: Path) -> None:
        theirs.mkdir(exist_ok=True)
        (theirs / "kernel.json").write_text("theirs")
        copy(source, target)

    monkeypatch.setattr(kernelspec_install, "_copy_file", slow)
    with pytest.raises(AlreadyInstalled):
        install_kernelspec(source, prefix=prefix)
    assert installed(prefix) == {"my.kernel/kernel.json": "theirs"}


def test_what_is_being_installed_is_nowhere_to_be_found(
    source: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the unfinished new one nor, once it is replaced, the old one by another name."""
    kernels = destination(prefix=prefix)
    seen = []
    copy = kernelspec_install._copy_file

    def looking(source: Path, target: Path) -> None:
        copy(source, target)
        seen.append([path for path in kernels.glob("*/kernel.json") if path.parent.name != "my.kernel"])

    monkeypatch.setattr(kernelspec_install, "_copy_file", looking)
    install_kernelspec(source, prefix=prefix)
    install_kernelspec(source, prefix=prefix, replace=True)
    assert seen == [[]] * 8


@pytest.mark.parametrize("text", [None, "{", "{}"])
def test_a_directory_without_a_usable_kernel_json_is_refused(
    tmp_path: Path, prefix: Path, text: str | None
) -> None:
    """In the words of whoever read it."""
    directory = tmp_path / "x"
    directory.mkdir()
    if text is not None:
        (directory / "kernel.json").write_text(text)
    with pytest.raises(BadKernelSpec, match=r"kernel\.json"):
        install_kernelspec(directory, prefix=prefix)
    with pytest.raises(BadKernelSpec, match="cannot be read"):
        install_kernelspec(tmp_path / "missing", prefix=prefix)
    assert not prefix.exists()


@posix
def test_links_become_the_files_they_lead_to(source: Path, prefix: Path) -> None:
    """Within the directory."""
    (source / "logo.svg").symlink_to("logo.png")
    install_kernelspec(source, prefix=prefix)
    copied = destination(prefix=prefix) / "my.kernel" / "logo.svg"
    assert not copied.is_symlink()
    assert copied.read_bytes() == b"png"


@posix
@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("../secret", "leads out of"),
        (".", "not to a file"),
        ("nowhere", "No such file"),
        ("loop", "loop|link"),
    ],
)
def test_links_that_lead_elsewhere_are_refused(
    source: Path, prefix: Path, target: str, complaint: str
) -> None:
    """Nothing is copied that is not of the kernelspec, and nothing for ever."""
    (source.parent / "secret").write_text("key")
    (source / "loop").symlink_to(target)
    with pytest.raises(InstallError, match=complaint):
        install_kernelspec(source, prefix=prefix)
    assert installed(prefix) == {}


@posix
def test_what_is_neither_file_nor_directory_is_refused(source: Path, prefix: Path) -> None:
    """A pipe would never end."""
    os.mkfifo(source / "pipe")
    with pytest.raises(InstallError, match="neither a file nor a directory"):
        install_kernelspec(source, prefix=prefix)


def test_a_directory_is_not_copied_into_itself(source: Path) -> None:
    """It would never end."""
    with pytest.raises(InstallError, match="copied into itself"):
        install_kernelspec(source, prefix=source)
    assert {path.name for path in source.iterdir()} == {"js", "kernel.json", "logo.png", "run"}


@posix
def test_a_link_in_its_place_is_replaced_and_not_followed(source: Path, prefix: Path) -> None:
    """What it led to stays."""
    kernels = destination(prefix=prefix)
    kernels.mkdir(parents=True)
    (kernels / "other").symlink_to(source)
    with pytest.raises(AlreadyInstalled):
        install_kernelspec(source, "other", prefix=prefix)
    install_kernelspec(source, "other", prefix=prefix, replace=True)

    assert not (kernels / "other").is_symlink()
    assert (source / "js" / "x.js").exists()


def test_where_one_may_not_write_is_told_with_what_to_do(
    source: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a file that cannot be read is no such case."""

    def forbidden(self: Path, *args: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(InstallError) as caught:
        install_kernelspec(source, prefix=prefix)
    assert str(destination(prefix=prefix)) in str(caught.value)
    assert "Permission denied; install it for yourself (--user)" in str(caught.value)
    monkeypatch.undo()

    def full(prefix: str, dir: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(dir / f"{prefix}abc"))

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(InstallError) as caught:
        install_kernelspec(source, prefix=prefix)
    assert str(caught.value).startswith(f"{destination(prefix=prefix)}: Permission denied; install it")
    monkeypatch.undo()

    unreadable = PermissionError(errno.EACCES, "Permission denied", str(source / "logo.png"))
    spoil(monkeypatch, "logo.png", unreadable)
    with pytest.raises(InstallError) as caught:
        install_kernelspec(source, prefix=prefix)
    assert str(caught.value) == f"{source / 'logo.png'}: Permission denied"


def test_a_file_where_a_directory_should_be_is_told(source: Path, prefix: Path) -> None:
    """By its path."""
    prefix.touch()
    with pytest.raises(InstallError, match="prefix"):
        install_kernelspec(source, prefix=prefix)


# From values


def test_a_kernelspec_is_written_from_values(source: Path, prefix: Path) -> None:
    """With copies of resources; what is not said is left out."""
    spec = install_kernelspec_from_values(
        "Mine",
        ["python", "-m", "x", "{connection_file}"],
        display_name="Münster",
        language="x",
        interrupt_mode="message",
        env={"A": "b"},
        metadata={"debugger": True},
        protocol_version="5.5",
        resources=[source / "logo.png"],
        prefix=prefix,
    )
    assert spec == read_kernelspec(destination(prefix=prefix) / "mine")
    assert (spec.display_name, spec.interrupt_mode, spec.env) == ("Münster", "message", {"A": "b"})
    assert (spec.metadata, spec.protocol_version) == ({"debugger": True}, "5.5")
    assert (spec.directory / "logo.png").read_bytes() == b"png"

    bare = install_kernelspec_from_values("bare", ["run"], display_name="B", language="x", prefix=prefix)
    assert json.loads((bare.directory / "kernel.json").read_text()) == {
        "argv": ["run"],
        "display_name": "B",
        "language": "x",
    }


def test_values_that_make_no_kernelspec_are_refused(prefix: Path) -> None:
    """Before anything is written."""
    with pytest.raises(BadKernelSpec, match="argv must be"):
        install_kernelspec_from_values("x", [], display_name="X", language="x", prefix=prefix)
    with pytest.raises(ValueError, match="cannot be a kernelspec's name"):
        install_kernelspec_from_values("a/b", ["x"], display_name="X", language="x", prefix=prefix)
    assert not prefix.exists()


# Removing


def test_the_first_of_a_name_is_removed_and_no_other(source: Path, tmp_path: Path) -> None:
    """In any case; the one behind it is found from then on."""
    first, second = (install_kernelspec(source, "x", prefix=tmp_path / name).directory for name in "ab")
    path = [first.parent, second.parent]

    assert remove_kernelspec("X", path) == first
    assert list(first.parent.iterdir()) == []
    assert get_kernelspec("x", path).directory == second


def test_a_bad_one_can_be_removed(source: Path, prefix: Path) -> None:
    """Nobody else can do anything with it."""
    directory = install_kernelspec(source, prefix=prefix).directory
    (directory / "kernel.json").write_text("{")
    remove_kernelspec("my.kernel", [directory.parent])
    assert not directory.exists()


def test_an_unknown_one_is_told_with_near_names(source: Path, prefix: Path) -> None:
    """And names that lead elsewhere are unknown."""
    kernels = install_kernelspec(source, prefix=prefix).directory.parent
    for name in ("my.kernl", "../kernels/my.kernel", "..", ""):
        with pytest.raises(NoSuchKernel) as caught:
            remove_kernelspec(name, [kernels])
        assert caught.value.known == ("my.kernel",)
    assert (kernels / "my.kernel" / "kernel.json").exists()


@posix
def test_of_a_link_the_link_is_removed(source: Path, tmp_path: Path) -> None:
    """And links within a kernelspec are not followed."""
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    (kernels / "linked").symlink_to(source)
    remove_kernelspec("linked", [kernels])
    assert list(kernels.iterdir()) == []
    assert (source / "logo.png").exists()

    (kernels / "x").mkdir()
    (kernels / "x" / "kernel.json").write_text(json.dumps(GOOD))
    (kernels / "x" / "deep").symlink_to(source)
    remove_kernelspec("x", [kernels])
    assert list(kernels.iterdir()) == []
    assert (source / "logo.png").exists()


def test_one_that_may_not_be_removed_stays_whole(
    source: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the message says who could."""
    kernels = install_kernelspec(source, prefix=prefix).directory.parent
    before = installed(prefix)
    spoil(monkeypatch, "old", PermissionError(errno.EACCES, "Permission denied", str(kernels)))
    with pytest.raises(InstallError, match=r"Permission denied; it has to be removed by whoever owns"):
        remove_kernelspec("my.kernel", [kernels])
    assert installed(prefix) == before


def test_files_that_stay_of_a_removed_one_are_told(
    source: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no kernelspec any more."""
    kernels = install_kernelspec(source, prefix=prefix).directory.parent

    def busy(path: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy", str(path))

    monkeypatch.setattr(shutil, "rmtree", busy)
    with pytest.raises(InstallError, match=r"is no kernelspec any more, but .* stays"):
        remove_kernelspec("my.kernel", [kernels])
    with pytest.raises(KeyError):
        get_kernelspec("my.kernel", [kernels])


def test_an_old_one_that_stays_behind_a_new_one_is_logged(
    source: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The new one is in its place."""
    (install_kernelspec(source, prefix=prefix).directory / "logo.png").write_text("old")

    def busy(path: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy", str(path))

    monkeypatch.setattr(shutil, "rmtree", busy)
    spec = install_kernelspec(source, prefix=prefix, replace=True)
    assert (spec.directory / "logo.png").read_bytes() == b"png"
    assert "the old one stays in" in caplog.text
