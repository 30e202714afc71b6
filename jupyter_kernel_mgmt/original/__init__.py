"""Providers written for the first version of this package, 0.1 to 0.5, which go on working with a note.

`is_original` tells them by their shape, `adapt` makes a provider of today of one, and `names` is what they
import. Managers of that shape are adapted as launches hand them over. What was written with
``asyncio.coroutine`` has to lose that first: Python 3.11 has it no more.
"""

from .adapting import adapt
from .shape import is_original

__all__ = ["adapt", "is_original"]
