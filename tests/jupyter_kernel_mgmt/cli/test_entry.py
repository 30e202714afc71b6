from collections.abc import Awaitable, Callable

import pytest

from jupyter_kernel_mgmt import KernelClient
from jupyter_kernel_mgmt.cli import entry
from jupyter_kernel_mgmt.cli.entry import indentation, inputs, matches, past_inputs, wants_more
from jupyter_kernel_mgmt.testing import FakeKernel, Quirks

Talk = Callable[..., Awaitable[tuple[KernelClient, FakeKernel]]]


@pytest.mark.parametrize(
    ("content", "code", "indent"),
    [
        ({"status": "complete"}, "1", None),
        ({"status": "invalid"}, "1 1", None),
        ({"status": "incomplete", "indent": "    "}, "if x:", "    "),
        ({"status": "incomplete"}, "if x:", ""),
        ({"status": "unknown"}, "1", None),
        ({"status": "unknown"}, "if x:\n  1", ""),
        ({"status": "unknown"}, "if x:\n  1\n", None),
        ({}, "1", None),
    ],
)
def test_the_kernel_says_whether_code_is_complete(
    content: dict[str, object], code: str, indent: str | None
) -> None:
    """Where it does not know, several lines end with an empty one."""
    assert indentation(content, code) == indent


async def test_a_kernel_is_asked(talk: Talk) -> None:
    """But not about nothing."""
    client, _ = await talk()
    assert await wants_more(client, "1") is None
    assert await wants_more(client, "  ") is None


async def test_a_kernel_that_does_not_answer_gets_the_code(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be busy for a long time."""
    monkeypatch.setattr(entry, "ANSWER_TIMEOUT", 0.01)
    monkeypatch.setattr(entry, "HISTORY_TIMEOUT", 0.01)
    client, _ = await talk(quirks=Quirks(silent=True))
    assert await wants_more(client, "1") is None
    assert await past_inputs(client) == []


async def test_a_kernel_without_a_past_has_no_inputs(talk: Talk) -> None:
    """It is asked for them."""
    client, _ = await talk()
    assert await past_inputs(client) == []


def test_inputs_are_taken_from_the_history() -> None:
    """The oldest first; what is no input is left out."""
    assert inputs({"history": [[1, 1, "a"], [1, 2, ""], [1], [2, 1, "b"]]}) == ["a", "b"]
    assert inputs({"status": "error"}) == []


def test_matches_begin_where_the_kernel_says() -> None:
    """Counted from the cursor; nothing where it says nothing."""
    content: dict[str, object] = {"status": "ok", "matches": ["import", 1], "cursor_start": 2}
    assert matches(content, 5) == [("import", -3)]
    assert matches({**content, "status": "error"}, 5) == []
    assert matches({"status": "ok", "matches": ["x"], "cursor_start": 9}, 5) == [("x", 0)]
