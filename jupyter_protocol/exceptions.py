"""Everything `jupyter_protocol` raises on purpose.

::

    ProtocolError
    ├── MalformedMessage      the peer's frames are not a Jupyter message
    ├── InvalidSignature      the peer does not have our key, or the frames were altered
    ├── DuplicateSignature    the peer, or somebody between us, sent the same message twice
    ├── InvalidMessage        a message cannot be put on the wire, or is not what the specification says
    ├── UnknownPacker         nobody here knows that packer
    └── ChannelClosed         the sockets were closed

The first three blame the other end, the rest this one; `validate` blames whoever made the message. No text
holds a key or a signature, nor a value from a message.
"""


class ProtocolError(Exception):
    """The base of every error of this package."""


class MalformedMessage(ProtocolError):
    """Frames from the other end cannot be read as a Jupyter message."""


class InvalidSignature(ProtocolError):
    """The signature of a received message does not match its content, or is missing."""


class DuplicateSignature(ProtocolError):
    """A correctly signed message was received for the second time."""


class InvalidMessage(ProtocolError):
    """A message of ours cannot be packed, or one is not what the specification says: the text says where.

    Where `validate` found it, ``field`` is that place, as in ``content.data['text/plain']``; else it is None.
    """

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.field = field


class UnknownPacker(ProtocolError):
    """The packer's name is neither ``"json"`` nor ``"msgpack"``."""


class ChannelClosed(ProtocolError):
    """The operation needs sockets that are already closed, or a channel that is not there."""
