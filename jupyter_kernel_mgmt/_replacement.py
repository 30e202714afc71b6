"""Has another process taken the kernel's place? Pure: told by the session ids in what it sends.

Source: Messaging in Jupyter, "General Message Format": a kernel's session id changes when it restarts.
"""

from collections.abc import Iterable
from enum import Enum

from jupyter_protocol import Message

from ._router import Request


class Origin(Enum):
    """Who sent a message: the process that answers now, as far as is known; another one; or one before it."""

    CURRENT = "current"
    NEW = "new"
    STALE = "stale"


class KernelSession:
    """The session id by which the process at the far end signs its messages.

    Some kernels have none of their own: they copy the session of the request, or leave it empty. Those
    messages say nothing.
    """

    def __init__(self) -> None:
        self._current: str | None = None
        self._left: set[str] = set()

    def origin(self, message: Message) -> Origin:
        """Note a message, and tell who sent it. Channels have no mutual order: stale ones may come late."""
        session = message.session
        if not session or session == self._current or session == message.parent_header.get("session"):
            return Origin.CURRENT
        if session in self._left:
            return Origin.STALE
        left, self._current = self._current, session
        if left is None:
            return Origin.CURRENT
        self._left.add(left)
        return Origin.NEW


def lost_requests(requests: Iterable[Request], revealed_by: str | None) -> tuple[list[str], list[str]]:
    """The ids of requests that went down with the old process, and of those whose fate is open.

    ``requests`` are in the order in which they were sent, ``revealed_by`` is the parent of the message that
    showed the change. What the old process had begun is lost, and what was sent on the same channel before a
    request that the new one handles. That request and those after it are not; the rest may be on its way.
    """
    ordered = list(requests)
    places = {request.msg_id: place for place, request in enumerate(ordered)}
    evidence = ordered[places[revealed_by]] if revealed_by in places else None
    lost, open_ = [], []
    for place, request in enumerate(ordered):
        if evidence is not None and request.channel == evidence.channel:
            if place < places[evidence.msg_id]:
                lost.append(request.msg_id)
        elif request.started:
            lost.append(request.msg_id)
        else:
            open_.append(request.msg_id)
    return lost, open_
