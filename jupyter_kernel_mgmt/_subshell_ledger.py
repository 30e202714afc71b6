"""Which subshells are ours, and which are to be deleted. Pure: no input, output, loop or clock.

Source: JEP 91 (kernel subshells).
"""

from jupyter_protocol import Message


class SubshellLedger:
    """The subshells of one kernel, as one client knows them.

    ``ours`` are those that were made for us and not deleted yet, ``unwanted`` those among them that are to
    be deleted, and ``made`` the ids from replies that nobody took yet, by the ``msg_id`` of the request.
    """

    def __init__(self) -> None:
        self.ours: set[str] = set()
        self.unwanted: set[str] = set()
        self.made: dict[str, str] = {}
        self._asked: set[str] = set()
        self._given_up: set[str] = set()
        self._deletions: dict[str, str] = {}
        self._running: dict[str, set[str]] = {}

    # Making

    def asked(self, msg_id: str) -> None:
        """A subshell was asked for, and somebody waits for it."""
        self._asked.add(msg_id)

    def answered(self, msg_id: str) -> bool:
        """Whether the kernel answered that request."""
        return msg_id not in self._asked

    def replied(self, msg_id: str, subshell_id: str | None) -> None:
        """The kernel made one, or refused (None). Replies to others are none of our business."""
        wanted, unwanted = msg_id in self._asked, msg_id in self._given_up
        self._asked.discard(msg_id)
        self._given_up.discard(msg_id)
        if subshell_id is None or not (wanted or unwanted):
            return
        self.ours.add(subshell_id)
        if wanted:
            self.made[msg_id] = subshell_id
        else:
            self.unwanted.add(subshell_id)

    def taken(self, msg_id: str) -> None:
        """Whoever asked has the id now."""
        self.made.pop(msg_id, None)

    def give_up(self, msg_id: str) -> None:
        """Whoever asked does not wait any more, whether the reply has come or not."""
        subshell_id = self.made.pop(msg_id, None)
        if subshell_id is not None:
            self.unwanted.add(subshell_id)
        elif msg_id in self._asked:
            self._asked.discard(msg_id)
            self._given_up.add(msg_id)

    def give_up_all(self) -> None:
        """Nobody wants any."""
        for msg_id in [*self._asked, *self.made]:
            self.give_up(msg_id)
        self.unwanted |= self.ours

    # Deleting

    def to_delete(self, *, everything: bool) -> list[str]:
        """Those whose deletion is to be sent now: unwanted (or all), not sent yet, and running no code."""
        candidates = self.ours if everything else self.unwanted & self.ours
        sent = self._deletions.values()
        return [one for one in sorted(candidates) if one not in sent and not self.runs_code(one)]

    def deleting(self, msg_id: str, subshell_id: str) -> None:
        """A deletion was sent."""
        self._deletions[msg_id] = subshell_id

    def deletion_answered(self, msg_id: str) -> str | None:
        """The subshell that is gone by this answer: deleted now, or not there any more."""
        return self._deletions.pop(msg_id, None)

    def gone(self, subshell_id: str) -> None:
        """It does not exist any more."""
        self.ours.discard(subshell_id)
        self.unwanted.discard(subshell_id)
        self._running.pop(subshell_id, None)
        self.made = {msg_id: made for msg_id, made in self.made.items() if made != subshell_id}

    def settled(self) -> bool:
        """Whether nothing of ours is there or is to come."""
        return not (self.ours or self._asked or self._given_up)

    # Running

    def status(self, message: Message) -> None:
        """A status message about a request to a subshell, anybody's."""
        subshell_id, msg_id = message.parent_header.get("subshell_id"), message.parent_id
        if not isinstance(subshell_id, str) or msg_id is None:
            return
        state, msg_type = message.content.get("execution_state"), message.parent_header.get("msg_type")
        if state == "busy" and msg_type == "execute_request":
            self.runs(msg_id, subshell_id)
        elif state == "idle":
            self.ended(message)

    def runs(self, msg_id: str, subshell_id: str) -> None:
        """That code runs in it, or will: what was sent to a subshell that is deleted is lost."""
        self._running.setdefault(subshell_id, set()).add(msg_id)

    def ended(self, message: Message) -> None:
        """What caused this message runs no longer."""
        subshell_id = message.parent_header.get("subshell_id")
        if isinstance(subshell_id, str) and (running := self._running.get(subshell_id)) is not None:
            running.discard(message.parent_id or "")
            if not running:
                del self._running[subshell_id]

    def runs_code(self, subshell_id: str) -> bool:
        """Whether code is known to run in it."""
        return subshell_id in self._running
