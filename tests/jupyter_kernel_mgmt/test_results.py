"""`ExecutionResult`: what replies, outputs and lost answers are told as."""

from typing import Any

import pytest

from jupyter_kernel_mgmt import (
    ExecutionAborted,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionResult,
    ExecutionTimeout,
    KernelError,
)
from jupyter_kernel_mgmt.results import error_info, reply_status
from jupyter_protocol import Message, messages


def reply(**content: Any) -> Message:
    return messages.new_message("execute_reply", content)


def result(status: Any, outputs: Any = (), answer: Message | None = None) -> ExecutionResult:
    outputs = list(outputs)
    return ExecutionResult(status, 1, outputs, error_info(answer, outputs), answer, 0)


@pytest.mark.parametrize(
    ("answer", "interrupted", "status"),
    [
        (reply(status="ok"), False, "ok"),
        (reply(), False, "ok"),
        (reply(status="error"), False, "error"),
        (reply(status="aborted"), False, "aborted"),
        (reply(status="abort"), False, "aborted"),
        (reply(status="never heard of"), False, "error"),
        (reply(status=None), False, "error"),
        (None, False, "error"),
        (reply(status="ok"), True, "ok"),
        (reply(), True, "ok"),
        (reply(status="error"), True, "interrupted"),
        (reply(status="abort"), True, "interrupted"),
        (None, True, "interrupted"),
    ],
)
def test_what_a_reply_says(answer: Message | None, interrupted: bool, status: str) -> None:
    """Code that ended well was not interrupted; without a reply it cannot be said to have ended well."""
    assert reply_status(answer, interrupted=interrupted) == status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("error", ExecutionError),
        ("interrupted", ExecutionInterrupted),
        ("timeout", ExecutionTimeout),
        ("aborted", ExecutionAborted),
    ],
)
def test_a_status_becomes_an_error_of_its_own(status: str, kind: type[KernelError]) -> None:
    """With the whole result in it, and a text."""
    bad = result(status)
    with pytest.raises(kind) as caught:
        bad.raise_for_status()

    assert type(caught.value) is kind
    assert caught.value.result is bad  # type: ignore[attr-defined]
    assert str(caught.value)


def test_a_good_status_gives_back_the_result() -> None:
    """So that it can be chained."""
    good = result("ok")
    assert good.raise_for_status() is good


def test_an_execution_timeout_is_a_timeout_error_and_says_what_is_known() -> None:
    """Code that was interrupted is told from code that nobody answered for."""
    with pytest.raises(TimeoutError, match="was interrupted"):
        result("timeout", answer=reply(status="error")).raise_for_status()
    with pytest.raises(TimeoutError, match="did not answer"):
        result("timeout").raise_for_status()


ERROR_OUTPUT = {"output_type": "error", "ename": "NameError", "evalue": "x", "traceback": ["line"]}


def test_the_error_of_a_reply_counts_before_one_in_the_outputs() -> None:
    """Code may show an error and raise another one."""
    answer = reply(status="error", ename="ValueError", evalue="y", traceback=["a", "b"])
    error = result("error", [ERROR_OUTPUT], answer).error

    assert error is not None
    assert (error.ename, error.evalue, error.traceback) == ("ValueError", "y", ("a", "b"))


def test_the_last_error_in_the_outputs_stands_in_for_that_of_the_reply() -> None:
    """Where the reply names none."""
    earlier = ERROR_OUTPUT | {"ename": "Earlier"}
    error = result("error", [earlier, ERROR_OUTPUT], reply(status="error")).error

    assert error is not None
    assert error.ename == "NameError"


def test_without_a_reply_no_error_is_claimed() -> None:
    """What became of the code is not known."""
    assert error_info(None, [ERROR_OUTPUT]) is None


def test_the_last_value_is_the_value() -> None:
    """``data`` and ``text`` are of the last execute_result; displays are not values."""
    outputs = [
        {"output_type": "execute_result", "data": {"text/plain": "first"}},
        {"output_type": "execute_result", "data": {"text/plain": ["sec", "ond"]}},
        {"output_type": "display_data", "data": {"text/plain": "shown"}},
    ]
    assert result("ok", outputs).text == "second"
    assert result("ok", outputs).data == {"text/plain": ["sec", "ond"]}
    assert (result("ok", outputs[2:]).text, result("ok", outputs[2:]).data) == ("", {})


def test_streams_are_told_apart() -> None:
    """All that was written to each, in order."""
    outputs = [
        {"output_type": "stream", "name": name, "text": text}
        for name, text in (("stdout", "a"), ("stderr", "b"), ("stdout", "c"))
    ]
    assert (result("ok", outputs).stdout, result("ok", outputs).stderr) == ("ac", "b")
