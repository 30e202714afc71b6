"""`DisplayRegistry`: what finished executions show under display ids, so that later code can update it. Pure.

Source: Messaging in Jupyter, "Display data" and "Updating displayed data".
"""

from weakref import ref

from jupyter_protocol import Message

from ._outputs import display_id, update
from .results import ExecutionResult


class DisplayRegistry:
    """Results by the display ids in them, for as long as somebody else holds a result."""

    def __init__(self) -> None:
        self._results: dict[str, list[ref[ExecutionResult]]] = {}

    def __len__(self) -> int:
        return len(self._results)

    def add(self, result: ExecutionResult | None) -> None:
        """Let what comes later change the displays of this result."""
        if result is None:
            return
        for shown in result.displays:

            def forget(dead: "ref[ExecutionResult]", shown: str = shown) -> None:
                self._forget(shown, dead)

            self._results.setdefault(shown, []).append(ref(result, forget))

    def update(self, message: Message) -> None:
        """Let an ``update_display_data`` change the results that show its display id."""
        for reference in list(self._results.get(display_id(message.content), [])):
            result = reference()
            if result is not None:
                update(result.displays, message)

    def _forget(self, shown: str, dead: "ref[ExecutionResult]") -> None:
        results = self._results.get(shown, [])
        if dead in results:
            results.remove(dead)
        if not results:
            self._results.pop(shown, None)
