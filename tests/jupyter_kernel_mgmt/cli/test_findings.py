import pytest

from jupyter_kernel_mgmt.cli.findings import Finding, Severity, exit_code


@pytest.mark.parametrize(
    ("severities", "code"), [([], 0), (["info"], 0), (["info", "warning"], 1), (["error"], 1)]
)
def test_errors_and_warnings_are_something_wrong(severities: list[Severity], code: int) -> None:
    """What is only told is not."""
    assert exit_code(Finding(severity, "here", "what") for severity in severities) == code


def test_as_a_dict_for_json() -> None:
    """With all four fields."""
    expected = {"severity": "info", "where": "here", "what": "x", "todo": ""}
    assert Finding("info", "here", "x").as_dict() == expected
