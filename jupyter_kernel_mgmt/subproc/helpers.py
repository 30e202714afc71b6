"""`LocalHelpers`: what the local kernels of one provider share."""

from .arrival import Registrations
from .forkserver import ForkServers
from .guard import Guard


class LocalHelpers:
    """Where its kernels register, the guard that ends them with us, and fork servers.

    Each is started when it is first needed. The first two end with the last kernel that needs them, fork
    servers are kept for the next kernel until `aclose`.
    """

    def __init__(self) -> None:
        self.registrations = Registrations()
        self.guard = Guard()
        self.forkservers = ForkServers()

    async def aclose(self) -> None:
        """Keep nothing for kernels to come; those that run keep what they need until they end.

        May be called again. Cancelling is safe.
        """
        await self.forkservers.aclose()
