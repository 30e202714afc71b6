"""`validate`: is a message what the specification says? `problems` tells all that it is not.

Importing this costs next to nothing; the tables are imported by who first validates.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..exceptions import InvalidMessage
from ..messages.message import JSONDict, Message


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where a message is not what the specification says; as text it is one line.

    ``field`` is the place, as in ``content.data['text/plain']``; ``expected`` and ``found`` say in words what
    should be there and what is, without its value; ``section`` names where the specification says so.
    ``kind`` is the type and the place without the names and numbers that only this message has: of kinds
    there is a limited number.
    """

    msg_type: str
    field: str
    expected: str
    found: str
    section: str
    kind: str

    def __str__(self) -> str:
        return f"{self.msg_type}: {self.field} should be {self.expected}, found {self.found} ({self.section})"


def validate(message: Message) -> None:
    """Return if the message is what the specification says: version 5.5, and the handshake of 5.6.

    Raises `InvalidMessage` for the first field that is missing or wrong. Its text names the field, what was
    expected, the type of what was found (never a value) and the section of the specification; `problems`
    tells of all. Looked at are header, parent header, metadata and, for each type that the specification
    knows, whoever sends it, the content. Fields that it does not know are accepted, and so are other types,
    whatever their content. Buffers, and what can be packed, are the business of `Session`.

    It takes the specification at its word:

    * Required is what is neither called optional nor deprecated nor given a default: ``silent`` may be
      missing, ``allow_stdin`` may not. ``date`` may before 5.1. A request for history needs what its kind of
      access selects by. From 5.2 on ``cursor_pos`` is within the code, in code points.
    * Replies have the header of their request as parent, and a status, except ``input_reply`` and
      ``debug_reply``, for which none is specified. An aborted one has no more of what is specified.
    * An aborted reply calls itself "aborted", as in "Execution results", or "abort", as in "Request-Reply".
    * Raw data is text for ``text/plain``, ``html``, ``markdown``, ``latex``, ``image/svg+xml``, ``png``,
      ``jpeg`` and ``application/javascript``; for other types it is "often, but not always a string".
    * ``date`` has a time; counts and cursors are not negative.
    * A message made here that has none of ``session``, ``username`` and ``version`` is right without them,
      since `Session.serialize` adds them.
    * What only "should" be is not asked for: an error reply may have the fields of a good one, and a result
      no ``text/plain``.

    Real kernels deviate, so this is for tests and for debugging, not a filter. Measured:

    * ipykernel 6 and 7, bash_kernel, IRkernel: an aborted ``execute_reply`` has no ``execution_count``.
    * ipykernel, xeus-python: a ``debug_reply`` has no ``seq``, and its ``hashSeed`` is a number.
    * bash_kernel: ``language_info`` has no ``version``.
    * xeus-python: ``is_complete_reply`` has ``indent`` whatever its status; an error in reply to
      ``history_request`` has no ``traceback``; in ``iopub_welcome`` parent header and metadata are null,
      which `Session` reads as ``{}`` (the option ``validate`` of sockets tells of it).
    * IRkernel: ``comm_info_reply`` has its content in a field ``content``, and in the header of ``comm_open``
      session and username are objects.
    * jupyter_client: ``input_reply`` has no parent.
    * Not measured: Jupyter Server adds the states ``restarting`` and ``dead``, and some kernels answer
      ``kernel_info_request`` without a status.

    Source: Messaging in Jupyter; JEP 47, 65, 66, 91, 92; Debug Adapter Protocol, "Base Protocol".
    """
    raise_first(problems(message))


def problems(message: Message) -> Iterator[Problem]:
    """All that is wrong with a message; see `validate`, which raises the first."""
    from .inspection import message_problems

    return message_problems(message)


def validate_registration(content: JSONDict) -> None:
    """Return if this is what a kernel registers with in the standard dialect of the 5.6 handshake.

    It travels alone in a signed frame, not as a `Message` (see `jupyter_protocol.registration`). Raises
    `InvalidMessage` as `validate` does, which looks at the messages of ark's dialect.

    Source: Messaging in Jupyter, "Kernel startup handshake".
    """
    from .inspection import registration_problems

    raise_first(registration_problems(content))


def raise_first(problems: Iterator[Problem]) -> None:
    """Raise `InvalidMessage` for the first problem, if there is one."""
    for problem in problems:
        raise InvalidMessage(str(problem), field=problem.field)
