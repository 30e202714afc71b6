"""MIME bundles: what iopub shows and some replies hold.

Source: Messaging in Jupyter, "Display Data".
"""

from .checks import ANYTHING, TEXT, Check
from .compound import OBJECT, Fields, ObjectOf, Optional

_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*"  # as RFC 6838 restricts them, without its limits of length
_PARAMETERS = r"\s*(;.*)?"

MIME_TYPE = rf"{_NAME}/{_NAME}{_PARAMETERS}"

TEXTUAL = r"(text/(plain|html|markdown|latex)|image/(svg\+xml|png|jpeg)|application/javascript)" + _PARAMETERS
"""The types of which everybody knows that they are text, base64 where they are binary.

The raw data of others is "often, but not always a string".
"""

BUNDLE = ObjectOf({TEXTUAL: TEXT, MIME_TYPE: ANYTHING}, "a MIME type")

METADATA = ObjectOf({MIME_TYPE: OBJECT, ".*": ANYTHING})
"""What describes one type of a bundle is an object under that type, beside what describes all of it."""

DATA: dict[str, Check] = {"data": BUNDLE, "metadata": METADATA}

TRANSIENT = Fields({"display_id": Optional(TEXT)})
