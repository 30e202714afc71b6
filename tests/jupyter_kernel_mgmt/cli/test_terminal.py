import io

import pytest

from jupyter_kernel_mgmt.cli.terminal import console, has_colour, lines, one_line, plain, suited

RED = "\x1b[31mred\x1b[39m"


class Tty(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a terminal with colours, whatever the tests run in."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def test_a_terminal_has_colours() -> None:
    """And what is no terminal has none."""
    assert has_colour(Tty())
    assert suited(RED, Tty()) == RED
    assert suited(RED, io.StringIO()) == "red"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_declined(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Source: no-color.org."""
    monkeypatch.setenv(name, value)
    assert not has_colour(Tty())
    assert suited(RED, Tty()) == "red"


@pytest.mark.parametrize(
    "text",
    ["\x1b[1;38;5;241mred", "\x1b]8;;http://x\x07red", "\x1b]0;title\x1b\\red", "re\x1b[2Kd", "\x1bMred"],
)
def test_escape_sequences_of_all_kinds_are_taken_out(text: str) -> None:
    """Colours, links, titles, movements."""
    assert plain(text) == "red"


def test_lines_have_no_control_characters_either() -> None:
    """But stay lines."""
    assert lines("a\x1b]0;title\x07\n\tb\x07\x9b2J") == "a\n        b  2J"


def test_one_line_has_no_control_characters() -> None:
    """Other people's files may hold any."""
    assert one_line("a\nb\x1b[31m") == "a b [31m"


@pytest.mark.parametrize("stream", [Tty(), io.StringIO()])
def test_only_a_terminal_gets_escapes_and_its_width(stream: io.StringIO) -> None:
    """A pipe gets the words and whole lines."""
    console(stream).print("x" * 100, style="bold")
    written = stream.getvalue()
    assert ("\x1b[1m" in written) is stream.isatty()
    assert ("x" * 100 in written) is not stream.isatty()


def test_a_terminal_without_colours_gets_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even bold."""
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Tty()
    console(stream).print("text", style="bold red")
    assert "\x1b" not in stream.getvalue()
