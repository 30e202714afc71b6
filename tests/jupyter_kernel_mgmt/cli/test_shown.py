import io
import sys

import pytest

from jupyter_kernel_mgmt.cli.shown import Piece, error_text, of_error, shown, write
from jupyter_kernel_mgmt.results import ErrorInfo
from jupyter_protocol import Message, messages


@pytest.mark.parametrize(
    ("message", "piece"),
    [
        (messages.stream("stdout", "a"), Piece("stdout", "a")),
        (messages.stream("stderr", "a\n"), Piece("stderr", "a\n")),
        (messages.execute_result(1, {"text/plain": "42", "text/html": "<b>"}), Piece("stdout", "42\n", True)),
        (messages.display_data({"text/plain": ["a\n", "b"]}), Piece("stdout", "a\nb\n", True)),
        (
            messages.display_data({"image/png": "…", "text/html": "…"}),
            Piece("stdout", "<image/png, text/html>\n"),
        ),
        (messages.display_data({}), None),
        (messages.status("idle"), None),
        (messages.error("E", "v", ["t1", "t2"]), Piece("stderr", "t1\nt2\n", True)),
    ],
)
def test_what_is_shown_of_a_message(message: Message, piece: Piece | None) -> None:
    """Streams as they are, values as plain text, errors on stderr, and of the rest nothing."""
    assert shown(message) == piece


def test_an_error_without_a_traceback_is_its_name_and_value() -> None:
    """Some kernels send none."""
    assert error_text({"ename": "E", "evalue": "v"}) == "E: v\n"
    assert error_text({"ename": "E", "evalue": "v", "traceback": []}) == "E: v\n"
    assert of_error(ErrorInfo("E", "v")) == Piece("stderr", "E: v\n", True)


def test_colours_go_where_they_are_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe gets none of the kernel's making; what the code itself wrote is not touched."""
    write(Piece("stderr", "\x1b[31mred", formatted=True))
    write(Piece("stdout", "\x1b[31mred"))
    assert capsys.readouterr() == ("\x1b[31mred", "red")


def test_what_a_terminal_cannot_show_is_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a surrogate pair, or another alphabet in a terminal of old: no error."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    write(Piece("stdout", "é\ud800"))
    assert raw.getvalue() == b"\\xe9\\ud800"
