"""Whether a kernel's sockets are encrypted. Plain functions.

Source: Security in the Jupyter architecture (Curve); kernelspecs' ``supported_encryption``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..exceptions import Unsupported
from ..launching import Encryption


@dataclass(frozen=True, slots=True)
class Encrypted:
    """Whether, and for the log, why."""

    curve: bool
    reason: str


def decide(wanted: Encryption, *, transport: str, metadata: Mapping[str, Any], available: bool) -> Encrypted:
    """Whether to encrypt a kernel's sockets.

    ``"auto"`` encrypts tcp where the kernel declares that it can; sockets in a private directory need
    nothing. ``available`` is whether ZMQ here has Curve. Raises `Unsupported` for ``"required"`` where it
    cannot be done, and for a name that is no policy.
    """
    if wanted not in ("auto", "required", "disabled"):
        raise Unsupported("encryption", f"{wanted!r} is not one of 'auto', 'required' and 'disabled'")
    if wanted == "disabled":
        return Encrypted(False, "disabled")
    obstacle = None
    if not available:
        obstacle = "the ZMQ library here was built without Curve"
    elif not declares_curve(metadata):
        obstacle = "the kernel does not declare that it can (supported_encryption)"
    if wanted == "required":
        if obstacle is not None:
            raise Unsupported("encryption", f"it is required, but {obstacle}")
        return Encrypted(True, "required")
    if transport == "ipc":
        return Encrypted(False, "its sockets are in a private directory")
    return Encrypted(obstacle is None, obstacle or "the kernel declares that it can")


def declares_curve(metadata: Mapping[str, Any]) -> bool:
    """Whether a kernelspec says so: in a list, or as one word in older ones."""
    declared = metadata.get("supported_encryption")
    return declared == "curve" or (isinstance(declared, list) and "curve" in declared)
