"""What the package logs: where it goes while the command runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from .terminal import lines


def set_up_logging(*, debug: bool) -> None:
    """To stderr: errors in a line each, or with ``debug`` everything."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s") if debug else OneLine())
    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR, handlers=[handler])


@contextmanager
def silenced() -> Iterator[None]:
    """Log nothing within the block, which shows itself what would be logged; with ``--debug`` do."""
    before = logging.root.manager.disable
    if not logging.root.isEnabledFor(logging.DEBUG):
        logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


class OneLine(logging.Formatter):
    """A message, without the traceback that may come with it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return f"jupyter-kernels: {lines(record.getMessage())}"
