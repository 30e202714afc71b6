"""`LentChannels`: a client's channels, lent to another client, who cannot close them."""

from jupyter_protocol import ChannelClosed, Message, messages

from .channels import CanKnock, Channels, OnClosed, OnMessage
from .client import KernelClient

HARMLESS = frozenset(
    {
        *("kernel_info_request", "history_request", "is_complete_request", "comm_info_request"),
        *("complete_request", "inspect_request", "list_subshell_request"),
    }
)
"""Requests that leave a kernel as it was. All others run code in it or may."""


class LentChannels:
    """`Channels` for another client, until they are closed; then their owner has them again.

    The owner follows meanwhile what the kernel does, and answers nothing. ``used`` says whether anything was
    sent that may have left a trace in the kernel, as code does; who lends them may reset it.
    """

    def __init__(self, owner: KernelClient) -> None:
        assert owner._line.channels is not None, "a client lends what it has"
        self.on_message: OnMessage | None = None
        self.on_closed: OnClosed | None = None
        self.used = False
        self._owner = owner
        self._channels: Channels = owner._line.channels
        self._closed = False
        self._channels.on_message = self._received
        self._channels.on_closed = self._lost

    def send(self, channel: str, message: Message) -> None:
        """Send a message. Raises `ChannelClosed` when closed, at either end."""
        if self._closed:
            raise ChannelClosed("the kernel was returned to its pool")
        if message.msg_type not in HARMLESS:
            self.used = True
        self._channels.send(channel, message)

    def knock(self) -> None:
        """Knock, or ask what leaves no trace where the owner's channels cannot. Raises as `send`."""
        if isinstance(self._channels, CanKnock) and not self._closed:
            self._channels.knock()
        else:
            self.send("shell", messages.kernel_info_request())

    async def aclose(self, *, discard: bool = False) -> None:
        """Give them back. It waits for nothing. May be called again."""
        if self._closed:
            return
        self._closed = True
        if self._owner._line.channels is self._channels:
            self._channels.on_message = self._owner._received
            self._channels.on_closed = self._owner._channels_lost

    def _received(self, channel: str, message: Message) -> None:
        self._owner._under_way.received(channel, message)
        if self.on_message is not None:
            self.on_message(channel, message)

    def _lost(self, error: Exception | None) -> None:
        self._owner._channels_lost(error)
        if self.on_closed is not None:
            self.on_closed(error)
