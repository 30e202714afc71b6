"""`WidgetState`: the front end's part for Jupyter widgets while a notebook runs without one. Pure.

It keeps what the kernel says about its widgets, for the notebook's metadata, and takes what ``Output``
widgets capture.

Source: ipywidgets' "Low level widget messaging" and "Jupyter widgets state" schema, version 2.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from jupyter_protocol import Message, messages

from .._outputs import Output, as_text, display_id, fold

WIDGET_STATE_TYPE = "application/vnd.jupyter.widget-state+json"
"""The MIME type of widget state, its key in a notebook's ``metadata.widgets``."""

TARGET = "jupyter.widget"
OUTPUT_MODEL = ("@jupyter-widgets/output", "OutputModel")
OUTPUT_TYPES = frozenset({"stream", "display_data", "execute_result", "error"})


@dataclass(frozen=True, slots=True)
class Disposition:
    """What became of a message.

    ``consumed``: it belongs to a widget, and is not to change the outputs of a cell. ``send``: messages that
    are to be sent to the kernel on shell now, without waiting for anything.
    """

    consumed: bool
    send: tuple[Message, ...] = ()


_CONSUMED = Disposition(consumed=True)
_LEFT = Disposition(consumed=False)


class WidgetState:
    """The widgets of one kernel, from the messages it sends; begin anew when it was restarted.

    `feed` it every iopub message of the notebook's executions, status messages too, in order. Messages with
    the wrong shape change nothing; none raises.
    """

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}
        self._capturing: dict[str, list[_Captured]] = {}  # by msg_id of the request, the innermost last

    def feed(self, message: Message) -> Disposition:
        """Let a message take its effect on widgets, and say what is left to do with it.

        Outputs and ``clear_output`` go to the ``Output`` widget that captures the request which caused them,
        the last one to begin if there are several. The kernel is told of what was captured when it says that
        it is idle: earlier it would not read it, and so it is one message a widget and not one an output.
        ``update_display_data`` changes displays in widgets, and is left for those in cells.
        """
        kind = message.msg_type
        if kind in OUTPUT_TYPES or kind == "clear_output":
            return self._output(message)
        if kind == "update_display_data":
            for captured in self._all_captured():
                captured.update_display(message)
        elif kind == "status" and message.content.get("execution_state") == "idle":
            return Disposition(consumed=False, send=tuple(self._news()))
        elif kind in ("comm_open", "comm_msg", "comm_close"):
            return self._comm(message, kind)
        return _LEFT

    def metadata(self) -> dict[str, Any]:
        """What belongs in the notebook's ``metadata.widgets``; empty if there were no widgets.

        Closed widgets stay in it, since outputs that show them do. It is the caller's: no later message
        changes it, but for values inside a state, which are those of the messages.
        """
        states = {comm_id: model.saved() for comm_id, model in self._models.items() if model.is_known()}
        if not states:
            return {}
        return {WIDGET_STATE_TYPE: {"state": states, "version_major": 2, "version_minor": 0}}

    def _output(self, message: Message) -> Disposition:
        capturing = self._capturing.get(message.parent_id or "")
        if not capturing:
            return _LEFT
        capturing[-1].take(message)
        return _CONSUMED

    def _all_captured(self) -> Iterable["_Captured"]:
        return (model.captured for model in self._models.values() if model.captured is not None)

    def _news(self) -> Iterable[Message]:
        for comm_id, model in self._models.items():
            if model.captured is not None and model.captured.untold:
                yield model.captured.tell(comm_id)

    # Comms

    def _comm(self, message: Message, kind: str) -> Disposition:
        comm_id = message.content.get("comm_id")
        if not isinstance(comm_id, str):
            return _LEFT
        if kind == "comm_open":
            if message.content.get("target_name") != TARGET:
                return _LEFT
            self._close(comm_id)
            self._models[comm_id] = _Model()
        model = self._models.get(comm_id)
        if model is None:
            return _LEFT
        if kind == "comm_close":
            self._close(comm_id)
        else:
            self._apply(model, message)
        return _CONSUMED

    def _apply(self, model: "_Model", message: Message) -> None:
        data = _dict(message.content.get("data"))
        if "state" not in data:  # a custom message
            return
        state = _dict(data["state"])
        if model.captured is not None and data.get("method") == "echo_update":
            # An echo of what we sent says nothing new, and may be older than what was captured since.
            state = {name: value for name, value in state.items() if name != "outputs"}
        model.update(state, data.get("buffer_paths"), message)
        if model.captured is not None and "msg_id" in state:
            self._capture(model.captured, state["msg_id"])

    def _capture(self, captured: "_Captured", msg_id: object) -> None:
        """Capture what a request causes, and nothing else; nothing at all if there is no id."""
        wanted = msg_id if isinstance(msg_id, str) else ""
        if wanted == captured.msg_id:
            return
        if capturing := self._capturing.get(captured.msg_id):
            capturing[:] = [other for other in capturing if other is not captured]
            if not capturing:
                del self._capturing[captured.msg_id]
        captured.msg_id = wanted
        if wanted:
            self._capturing.setdefault(wanted, []).append(captured)

    def _close(self, comm_id: str) -> None:
        model = self._models.get(comm_id)
        if model is not None and model.captured is not None:
            self._capture(model.captured, "")
            model.state["outputs"] = model.captured.outputs()
            model.captured = None


@dataclass(slots=True)
class _Model:
    """One widget: its state, its buffers by path, and what it captured if it is an ``Output``."""

    state: dict[str, Any] = field(default_factory=dict)
    buffers: dict[tuple[str | int, ...], Any] = field(default_factory=dict)
    captured: "_Captured | None" = None

    def is_known(self) -> bool:
        return "_model_name" in self.state

    def update(self, state: dict[str, Any], buffer_paths: object, message: Message) -> None:
        self.state |= state
        buffers = dict(zip(_paths(buffer_paths), message.buffers, strict=False))
        # A value that is replaced takes its buffers with it.
        replaced = state.keys() | {path[0] for path in buffers}
        for path in [path for path in self.buffers if path[0] in replaced and path not in buffers]:
            del self.buffers[path]
        self.buffers |= buffers
        if self.captured is None and self._is_output():
            self.captured = _Captured()
        if self.captured is not None and "outputs" in state:
            self.captured.replace(state["outputs"])

    def _is_output(self) -> bool:
        return (self.state.get("_model_module"), self.state.get("_model_name")) == OUTPUT_MODEL

    def saved(self) -> dict[str, Any]:
        """As the schema has it."""
        state = self.state if self.captured is None else self.state | {"outputs": self.captured.outputs()}
        saved = {
            "model_name": state.get("_model_name"),
            "model_module": state.get("_model_module"),
            "model_module_version": state.get("_model_module_version"),
            "state": dict(state),
        }
        if self.buffers:
            saved["buffers"] = [
                {"data": base64.b64encode(buffer).decode(), "encoding": "base64", "path": list(path)}
                for path, buffer in self.buffers.items()
            ]
        return saved


@dataclass(slots=True, eq=False)
class _Captured:
    """What an ``Output`` widget shows: what the kernel gave it, and the messages that it took since."""

    msg_id: str = ""
    given: list[Any] = field(default_factory=list)
    shown: list[Message] = field(default_factory=list)
    clear_with_next: bool = False
    untold: bool = False  # whether the kernel does not know it yet
    parent_header: dict[str, Any] = field(default_factory=dict)

    def take(self, message: Message) -> None:
        self.parent_header = message.parent_header
        if message.msg_type == "clear_output" and message.content.get("wait"):
            self.clear_with_next = True
            return
        if self.clear_with_next or message.msg_type == "clear_output":
            self.given, self.shown = [], []
            self.clear_with_next = False
        if message.msg_type != "clear_output":
            self.shown.append(message)
        self.untold = True

    def update_display(self, message: Message) -> None:
        wanted = display_id(message.content)
        for index, shown in enumerate(self.shown):
            if wanted and display_id(shown.content) == wanted:
                news = {name: message.content.get(name) for name in ("data", "metadata")}
                self.shown[index] = messages.new_message(shown.msg_type, shown.content | news)
                self.parent_header = message.parent_header
                self.untold = True

    def replace(self, outputs: object) -> None:
        """The kernel says what is shown from now on."""
        self.given = list(outputs) if isinstance(outputs, list) else []
        self.shown = []
        self.untold = False

    def outputs(self) -> list[Output]:
        outputs = fold(self.shown)[0]
        last = _dict(self.given[-1]) if self.given else {}
        if outputs and _are_one_stream(last, outputs[0]):
            outputs[0]["text"] = as_text(last.get("text")) + outputs[0]["text"]
            return [*self.given[:-1], *outputs]
        return [*self.given, *outputs]

    def tell(self, comm_id: str) -> Message:
        self.untold = False
        data = {"method": "update", "state": {"outputs": self.outputs()}, "buffer_paths": []}
        message = messages.comm_msg(comm_id, data)
        message.parent_header = self.parent_header
        return message


def _are_one_stream(one: Output, next_one: Output) -> bool:
    kinds = (one.get("output_type"), next_one["output_type"])
    return kinds == ("stream", "stream") and bool(one.get("name") == next_one["name"])


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _paths(value: object) -> list[tuple[str | int, ...]]:
    """The paths; without all of them, none belongs to its buffer for certain."""
    paths = value if isinstance(value, list) else []
    fit = all(
        isinstance(path, list) and path and all(isinstance(step, str | int) for step in path)
        for path in paths
    )
    return [tuple(path) for path in paths] if fit else []
