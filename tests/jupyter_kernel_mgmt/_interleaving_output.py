"""What an execution keeps of its output, by the promises alone: head and tail, and the effect of all of it.

Everything that came is kept here, and where the gap is; the rest is worked out anew each time.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from jupyter_protocol import Message, messages

OVERHEAD = 2048
"""Bytes that each message counts for besides its content."""

PICTURE = "x" * 3000
PAGE = "x" * 1500

DISPLAYS = ("a", "b")
OUTPUTS = (
    *("stream", "display_data", "execute_result", "error", "picture", "clear"),
    *(f"{verb} {display}" for verb in ("show", "update") for display in DISPLAYS),
)
"""What code may put out; a display that has an id is shown or updated."""


@dataclass(frozen=True, slots=True)
class Item:
    """An output message: the word for it, its text, and its size in bytes."""

    word: str
    text: str
    size: int = 0

    @property
    def display(self) -> str:
        """The display id, if it names one."""
        return self.word.partition(" ")[2]

    @property
    def updates(self) -> bool:
        return self.word.startswith("update")


class Kept:
    """``items`` is all that came; those before ``head`` and from ``tail`` on are kept, the rest is dropped.

    ``_outlasting`` are places of dropped updates whose effect is kept, by display, the latest at the end.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.items: list[Item] = []
        self.head = self.tail = 0
        self.final = False
        self._in_head: set[str] = set()
        self._outlasting: dict[
            str, int
        ] = {}  # places of dropped updates, the one that was changed last at the end
        self._cleared = False
        self._after_the_end: list[Item] = []

    def __repr__(self) -> str:
        words = [f"{item.word}{item.text}" for item in self.items]
        return f"<{words[: self.head]} {words[self.head : self.tail]} {words[self.tail :]}>"

    @property
    def dropped(self) -> int:
        return self.tail - self.head

    @property
    def held(self) -> int:
        """Bytes: what is kept, and the updates that outlast their message."""
        outlasting = [self.items[place] for place in self._outlasting.values()]
        return _sum([*self.items[: self.head], *self.items[self.tail :], *outlasting])

    def shows(self, display: str) -> bool:
        return any(item.word == f"show {display}" for item in self.items)

    def add(self, item: Item, *, room: float) -> None:
        """One more; ``room`` is what all together may still hold."""
        open_ = self.head == self.tail == len(self.items)
        fits = self.limit is None or _sum(self.items) + item.size <= self.limit // 2
        self.items.append(item)
        if open_ and fits and item.size <= room:
            self.head = self.tail = len(self.items)
            self._in_head.add(item.display)
        if self.limit is not None:
            for_tail = self.limit - self.limit // 2
            while len(self.items) - self.tail > 1 and _sum(self.items[self.tail :]) > for_tail:
                self._drop_oldest()

    def drop_one(self) -> bool:
        """One beside the gap, from the longer side; False where nothing is left."""
        tail = self.items[self.tail :]
        if tail and (not self.head or (len(tail) > 1 and 2 * _sum(tail) > self.held)):
            self._drop_oldest()
        elif self.head:
            self.head -= 1
            self._note_dropped(self.head, overrides=False)
        elif self._outlasting:
            del self._outlasting[next(iter(self._outlasting))]
        else:
            return False
        return True

    def _drop_oldest(self) -> None:
        self.tail += 1
        self._note_dropped(self.tail - 1, overrides=True)

    def _note_dropped(self, place: int, *, overrides: bool) -> None:
        """What it did to the head is kept, in as much room as the tail has, but not if all was cleared."""
        item = self.items[place]
        if item.word == "clear":
            self._cleared = True
            self._outlasting.clear()
        if self._cleared or not item.updates or item.display not in self._in_head:
            return
        if overrides or item.display not in self._outlasting:
            self._outlasting.pop(item.display, None)
            self._outlasting[item.display] = place
        assert self.limit is not None
        while len(self._outlasting) > 1 and _sum(map(self.items.__getitem__, self._outlasting.values())) > (
            self.limit - self.limit // 2
        ):
            del self._outlasting[next(iter(self._outlasting))]

    def change_afterwards(self, item: Item) -> None:
        """It has ended, and later code updates what it showed."""
        if not self.final:
            self._after_the_end.append(item)

    def outputs(self) -> list[str]:
        """The texts of the outputs after all took its effect, dropped or not, but for updates that are lost.

        Neighbours in a stream are one output.
        """
        shown: list[tuple[int, Item, str]] = []
        gap = {*range(self.head, self.tail)}
        for place, item in enumerate([*self.items, *self._after_the_end]):
            if item.word == "clear":
                shown.clear()
            elif item.updates and place in gap - {*self._outlasting.values()}:
                continue
            elif item.updates:
                of_it = f"show {item.display}"
                shown = [(p, old, item.text if old.word == of_it else text) for p, old, text in shown]
            else:
                shown.append((place, item, item.text))
        texts: list[str] = []
        before = ""
        for place, item, text in shown:
            if place in gap:
                continue
            if item.word == before == "stream":
                texts[-1] += text
            else:
                texts.append(text)
            before = item.word
        return texts

    def place_of_reader(self, seen: Iterable[str | int]) -> int:
        """Where a reader is that saw these texts, and numbers of dropped ones: all, and nothing twice."""
        place = 0
        for thing in seen:
            if isinstance(thing, int):
                assert thing > 0
                assert self.head <= place < place + thing <= self.tail, (self, seen)
                place += thing
            else:
                assert thing == _seen_as(self.items[place]), (self, seen)
                place += 1
        return place


def make_room(holders: list[Kept], budget: int | None) -> None:
    """Whoever holds most gives up, the oldest among equals, until all together fit."""
    while budget is not None and sum(one.held for one in holders) > budget:
        if not max(holders, key=lambda one: one.held).drop_one():
            return


def output_message(word: str, text: str, parent: Message | None) -> Message:
    """The message for one of the `OUTPUTS`."""
    verb, _, display = word.partition(" ")
    data = {"text/plain": text}
    if verb == "stream":
        return messages.stream("stdout", text, parent=parent)
    if verb == "show":
        return messages.display_data(data, transient={"display_id": display}, parent=parent)
    if verb == "update":
        return messages.update_display_data({**data, "text/html": PAGE}, display, parent=parent)
    if verb == "display_data":
        return messages.display_data(data, parent=parent)
    if verb == "picture":
        return messages.display_data({**data, "image/png": PICTURE}, parent=parent)
    if verb == "execute_result":
        return messages.execute_result(1, data, parent=parent)
    if verb == "error":
        return messages.error(text, "", [], parent=parent)
    return messages.clear_output(parent=parent)


def _seen_as(item: Item) -> str:
    return "clear_output" if item.word == "clear" else item.text


def _sum(items: Iterable[Item]) -> int:
    return sum(item.size for item in items)
