"""When is a kernel unresponsive? The decision, pure: no input, output, loop or clock.

A message from the kernel, an echo of its heartbeat and work of its process are signs of life. Without any for
long enough, it depends on what the kernel can be expected to do:

- A process that is stopped is unresponsive, whatever the kernel's habits.
- A kernel that echoed before and handles nothing now ought to echo: it is unresponsive.
- A kernel that is busy ought to echo only if it is one of those that do so while they are busy, which they
  have shown before. Kernels with one thread do not: they cannot be told from wedged ones while their code
  sleeps, and are given the benefit of the doubt. So is every busy kernel whose process nobody looks at, for
  it may compute.
- A kernel that never echoed has no heartbeat, and one that never says busy may always be: nothing follows.

So a busy kernel with one thread that hangs for ever without using the processor is not reported; a time-out
of the request is what helps there. A kernel that echoes in some waits and not in others (JavaScript's, which
echo while code awaits) may be wrongly reported once; from then on it is known.

Source: Messaging in Jupyter, "Heartbeat for kernels".
"""

from dataclasses import dataclass

from .managerbase import ProcessState

WORKING_SHARE = 0.02
"""The part of a processor that counts as work: threads that only wake up to look around use less."""

SETTLED = 3
"""Looks at a kernel that is busy and sends nothing after which an echo cannot be one from before, and after
which no echo means that it does not echo while it is busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen of a kernel since the look before.

    ``elapsed`` is in seconds. ``interval`` is what it should have been: a loop that was held up could not
    receive. ``busy`` is None for a kernel that never said what it is. ``process`` need not be asked for where
    another sign of life was seen.
    """

    elapsed: float
    interval: float
    echoed: bool
    heard: bool
    busy: bool | None
    process: ProcessState | None = None


class Silence:
    """Takes looks at a kernel, one after the other, and says whether it is unresponsive.

    ``seconds`` is how long there has been no sign of life. Time in which our loop was held up does not count.
    """

    def __init__(self, unresponsive_after: float) -> None:
        self.unresponsive_after = unresponsive_after
        self.seconds = 0.0
        self.unresponsive = False
        self._has_heartbeat = False
        self._cpu_time: float | None = None
        self._stretch = 0
        self._mute = 0
        self._echo_in_stretch = False
        self._echoes_while_busy = False
        self._mute_while_busy = False

    def take(self, look: Look) -> bool:
        """Whether the kernel is unresponsive, after this look at it."""
        self._learn(look)
        if look.echoed or look.heard or self._works(look):
            self.seconds = 0.0
        else:
            self.seconds += min(look.elapsed, look.interval)
        self.unresponsive = self.seconds >= self.unresponsive_after and self._ought_to_answer(look)
        return self.unresponsive

    def _ought_to_answer(self, look: Look) -> bool:
        if look.process is not None and look.process.stopped:
            return True
        if not self._has_heartbeat or look.busy is None:
            return False
        if not look.busy:
            return True
        return look.process is not None and self._echoes_while_busy and not self._mute_while_busy

    def _works(self, look: Look) -> bool:
        """Whether the process has done something since it was last looked at."""
        before, process = self._cpu_time, look.process
        self._cpu_time = None if process is None else process.cpu_time
        if process is None or process.stopped:
            return False
        # A child that ended takes its time along, unless somebody waited for it: that is a change too.
        used = 0.0 if before is None else abs(process.cpu_time - before)
        return process.running or used > WORKING_SHARE * look.elapsed

    def _learn(self, look: Look) -> None:
        """Find out whether the kernel echoes while it is busy, and whether it always does.

        Channels have no mutual order: an echo may overtake the idle before it. So an echo counts only in the
        middle of a stretch of busy in which nothing else arrives, and only once the next look finds it going
        on.
        """
        self._has_heartbeat = self._has_heartbeat or look.echoed
        late = look.elapsed > 2 * look.interval
        stopped = look.process is not None and look.process.stopped
        self._stretch = self._stretch + 1 if look.busy and not look.heard and not late else 0
        if self._stretch and self._echo_in_stretch:
            self._echoes_while_busy = True
        self._echo_in_stretch = look.echoed and self._stretch >= SETTLED
        if look.echoed:
            self._mute_while_busy = self._mute_while_busy or self._mute >= SETTLED
        if look.echoed or stopped:
            self._mute = 0
        elif self._stretch:
            self._mute += 1
