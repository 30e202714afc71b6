"""`Line`: the channels of a client, the error for those who send where that cannot be, and the trace."""

from jupyter_protocol import Message

from ._under_way import MakeError
from .channels import CanKnock, Channels
from .exceptions import ClientClosed
from .results import ExecutionResult
from .wire_trace import Tracer


def _no_channels(result: ExecutionResult | None) -> Exception:
    return ClientClosed("the client has no channels", result=result)


class Line:
    """Has ``channels`` or None. ``refusal`` makes the error of every request, None: they may be sent."""

    def __init__(self) -> None:
        self.refusal: MakeError | None = _no_channels
        self.tracer: Tracer | None = None
        self.channels: Channels | None = None

    def attach(self, channels: Channels) -> None:
        """Send over these, and refuse nothing. Raises `RuntimeError` where there are others."""
        if self.channels is not None:
            raise RuntimeError("the client has channels already; detach it first")
        self.channels = channels
        self.refusal = None

    def let_go(self) -> Channels | None:
        """Send over them no longer; they are the caller's to close."""
        channels, self.channels = self.channels, None
        return channels

    def check(self) -> None:
        """Raise what requests raise, if they are refused."""
        if self.refusal is not None:
            raise self.refusal(None)

    def send(self, channel: str, message: Message) -> None:
        """Send even what is refused, as long as there are channels. Raises as requests do."""
        if self.channels is None:
            raise (self.refusal or _no_channels)(None)
        self.channels.send(channel, message)
        if self.tracer is not None:
            self.tracer.show("sent", channel, message)

    def knock(self) -> bool:
        """Have the kernel show that it is there, beside all requests; whether the channels can do that."""
        if self.channels is None or not isinstance(self.channels, CanKnock):
            return False
        self.channels.knock()
        return True
