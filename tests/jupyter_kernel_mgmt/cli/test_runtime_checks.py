import stat
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.cli.runtime_checks import DirectoryFacts, check_runtime_directory, look_at_directory

HERE = Path("/run/jupyter")
DIRECTORY = stat.S_IFDIR


@pytest.mark.parametrize(
    ("facts", "severities", "text"),
    [
        (DirectoryFacts(HERE, DIRECTORY | 0o700), [], ""),
        (DirectoryFacts(HERE), ["info"], "does not exist yet"),
        (DirectoryFacts(HERE, writable=False), ["error"], "cannot be made"),
        (DirectoryFacts(HERE, stat.S_IFREG | 0o600), ["error"], "no directory"),
        (DirectoryFacts(HERE, DIRECTORY | 0o755), ["warning"], "mode 755"),
        (DirectoryFacts(HERE, DIRECTORY | 0o777), ["error"], "mode 777"),
        (DirectoryFacts(HERE, DIRECTORY | 0o700, ours=False), ["error"], "somebody else"),
        (DirectoryFacts(HERE, DIRECTORY | 0o500, writable=False), ["error"], "not writable"),
    ],
)
def test_what_is_wrong_with_a_directory(facts: DirectoryFacts, severities: list[str], text: str) -> None:
    """It has to be ours alone."""
    found = check_runtime_directory(facts, windows=False)
    assert [finding.severity for finding in found] == severities
    assert all(text in finding.what and finding.where == str(HERE) for finding in found)
    assert all(finding.todo for finding in found if finding.severity != "info")


def test_windows_has_other_permissions() -> None:
    """Its modes say nothing."""
    assert check_runtime_directory(DirectoryFacts(HERE, DIRECTORY | 0o777), windows=True) == []


@pytest.mark.skipif(sys.platform == "win32", reason="of modes")
def test_looking_at_one(tmp_path: Path) -> None:
    """Also where there is none."""
    tmp_path.chmod(0o750)
    facts = look_at_directory(tmp_path)
    assert (stat.S_IMODE(facts.mode or 0), facts.ours, facts.writable) == (0o750, True, True)
    assert look_at_directory(tmp_path / "a" / "b") == DirectoryFacts(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    assert look_at_directory(tmp_path / "file" / "b").writable is False
