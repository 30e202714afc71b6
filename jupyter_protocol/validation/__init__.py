"""Is a message what the specification says? One table a channel, as in `jupyter_protocol.messages`."""

from .problem import Problem, problems, validate, validate_registration

__all__ = ["Problem", "problems", "validate", "validate_registration"]
