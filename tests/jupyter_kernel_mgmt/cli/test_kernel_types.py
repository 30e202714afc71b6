import pytest

from jupyter_kernel_mgmt.cli.kernel_types import complete_kernel_type, matching
from jupyter_kernel_mgmt.discovery import finder as discovery

NAMES = ["pyimport/kernel", "spec/ir", "spec/python3"]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", ["pyimport/kernel", "spec/ir", "spec/python3"]),
        ("spec/", ["spec/ir", "spec/python3"]),
        ("py", ["pyimport/kernel", "python3"]),
        ("x", []),
    ],
)
def test_what_begins_so_is_offered(prefix: str, expected: list[str]) -> None:
    """Kernelspecs by their short names too, once something of these is typed."""
    assert matching(prefix, NAMES) == expected


def test_names_come_from_the_providers() -> None:
    """Those that are installed."""
    assert "pyimport/kernel" in complete_kernel_type("pyimp")


def test_a_shells_prompt_shows_no_errors(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is offered then."""

    def broken() -> dict[str, object]:
        raise OSError("no metadata")

    monkeypatch.setattr(discovery, "installed_providers", broken)
    assert complete_kernel_type("") == []
    assert capfd.readouterr() == ("", "")
