"""`validate` and what is around it have the types that those who debug a kernel expect."""

from collections import Counter
from collections.abc import Iterator
from typing import assert_type

from jupyter_protocol import ClientSockets, ConnectionInfo, InvalidMessage, KernelSockets, messages, validate
from jupyter_protocol.validation import Problem, problems, validate_registration


def look_at_a_message() -> None:
    try:
        validate(messages.stream("stdout", "a"))
    except InvalidMessage as error:
        assert_type(error.field, str | None)
    found = problems(messages.status("idle"))
    assert_type(found, Iterator[Problem])
    assert_type([problem.field for problem in found], list[str])
    validate_registration({"kernel_id": "k"})


async def look_at_all_messages() -> None:
    async with KernelSockets(ConnectionInfo(), validate=True) as kernel:
        assert_type(kernel.invalid, Counter[str])
        async with ClientSockets(kernel.connection_info, validate=None):
            pass
