"""Which kernel types fit a notebook, best first, and why. Pure: no file is looked at."""

from .judging import Level
from .match import Best, Match, best, match_notebook
from .record import with_kernel

__all__ = ["Best", "Level", "Match", "best", "match_notebook", "with_kernel"]
