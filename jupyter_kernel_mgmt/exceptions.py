"""Everything `jupyter_kernel_mgmt` raises on purpose.

::

    KernelError
    ├── NoSuchKernel (KeyError)            no provider has that kernel type
    ├── NoSuchProvider                     no provider has that id
    ├── BadConfiguration (ValueError)      an option cannot be meant like that
    ├── NoSuchResource (KeyError)          the kernel type has no file of that name
    ├── InstallError                       a kernelspec was not installed or not removed
    │   └── AlreadyInstalled               there is one of that name
    ├── LaunchError                        the kernel did not start
    │   └── StartupTimeout (TimeoutError)  nor did it fail, in the time it had
    ├── KernelDied                         it ended while somebody waited for an answer
    │   └── KernelRestarted                and another one took its place
    ├── KernelUnresponsive                 it is there and gives no sign of life (``unresponsive_after``)
    ├── ClientClosed (ChannelClosed)       the client was closed while somebody waited
    ├── NoReply                            the kernel was done with a request and did not answer it
    ├── ExecutionError                     raise_for_status(): the code raised
    ├── ExecutionInterrupted               raise_for_status(): it was interrupted
    ├── ExecutionTimeout (TimeoutError)    raise_for_status(): it took or waited too long
    ├── ExecutionAborted                   raise_for_status(): it was never run
    ├── NotOwned                           the kernel is somebody else's
    ├── RestartFailed                      no kernel took the old one's place
    ├── SubshellError                      a request about subshells was refused or not answered
    └── Unsupported                        this provider or kernel cannot do that

Errors of `jupyter_protocol` pass unchanged. Data is in attributes, text in ``str``.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from jupyter_protocol import ChannelClosed

if TYPE_CHECKING:
    from pathlib import Path

    from .launching import ExitInfo
    from .results import ExecutionResult


class KernelError(Exception):
    """The base of every error of this package."""


class NoSuchKernel(KernelError, KeyError):
    """No kernel type has that name. ``known`` are the names there are, ``searched`` the places looked in."""

    def __init__(self, kernel_type: str, *, known: Sequence[str] = (), searched: Sequence[str] = ()) -> None:
        super().__init__(kernel_type)
        self.kernel_type = kernel_type
        self.known = tuple(known)
        self.searched = tuple(searched)

    @property
    def suggestions(self) -> list[str]:
        """Known names that look like the one asked for, best first."""
        whole = {name.lower(): name for name in self.known}
        last = {name.rpartition("/")[2]: name for name in whole}
        wanted = self.kernel_type.lower()
        # What stands before the slash is alike in many names and says little.
        near = [whole[last[name]] for name in get_close_matches(wanted.rpartition("/")[2], last)]
        near += [whole[name] for name in get_close_matches(wanted, whole, cutoff=0.8)]
        return list(dict.fromkeys(near))

    def __str__(self) -> str:
        text = f"there is no kernel type {self.kernel_type!r}"
        if self.suggestions:
            text += f"; did you mean {' or '.join(map(repr, self.suggestions))}?"
        elif self.known:
            text += f"; there are {', '.join(sorted(self.known))}"
        if self.searched:
            text += f" (looked in {', '.join(self.searched)})"
        return text


class NoSuchProvider(KernelError):
    """No provider has that id, or it could not be loaded (then ``__cause__`` says why)."""


class BadConfiguration(KernelError, ValueError):
    """An option cannot be meant like that.

    ``option`` is its path, as ``"providers.spec.directories"``, and empty for a file as a whole; ``file`` and
    ``line`` (from 1) say where it stands, and are None for what a program gave.
    """

    def __init__(
        self, option: str, text: str, *, file: "Path | None" = None, line: int | None = None
    ) -> None:
        super().__init__(option, text)
        self.option = option
        self.text = text
        self.file = file
        self.line = line

    def __str__(self) -> str:
        where = "" if self.file is None else str(self.file)
        if self.line is not None:
            where += f", line {self.line}"
        return ": ".join(part for part in (where, self.option, self.text) if part)


class NoSuchResource(KernelError, KeyError):
    """A kernel type has no file of that name."""

    def __init__(self, kernel_type: str, filename: str) -> None:
        super().__init__(kernel_type, filename)
        self.kernel_type = kernel_type
        self.filename = filename

    def __str__(self) -> str:
        return f"{self.kernel_type} has no resource {self.filename!r}"


class InstallError(KernelError):
    """A kernelspec was not installed or not removed; the text says why, and what to do."""


class AlreadyInstalled(InstallError):
    """There is a kernelspec of that name in that place, in ``directory``."""

    def __init__(self, name: str, directory: "Path") -> None:
        super().__init__(name, directory)
        self.name = name
        self.directory = directory

    def __str__(self) -> str:
        there = f"there is a kernelspec {self.name!r} already, in {self.directory}"
        return f"{there}; choose another name, or replace it (replace=True, in the command --replace)"


class LaunchError(KernelError):
    """A kernel did not start. ``exit_info`` is set where its process ended; ``command`` where it is known."""

    def __init__(
        self, text: str, *, exit_info: "ExitInfo | None" = None, command: Sequence[str] | None = None
    ) -> None:
        super().__init__(text)
        self.exit_info = exit_info
        self.command = None if command is None else tuple(command)

    def __str__(self) -> str:
        lines = [super().__str__()]
        if self.command:
            lines.append(f"command: {' '.join(self.command)}")
        if self.exit_info is not None and self.exit_info.output_tail:
            lines.append(f"the end of its output:\n{self.exit_info.output_tail.rstrip()}")
        return "\n".join(lines)


class StartupTimeout(LaunchError, TimeoutError):
    """A kernel runs but was not ready in time."""


class KernelDied(KernelError):
    """The kernel ended before it answered.

    ``exit_info`` says how, as far as that is known; ``result`` holds the output that came before, for an
    execution, and is None for other requests.
    """

    def __init__(self, exit_info: "ExitInfo | None" = None, result: "ExecutionResult | None" = None) -> None:
        super().__init__(exit_info, result)
        self.exit_info = exit_info
        self.result = result

    def __str__(self) -> str:
        if self.exit_info is None:
            return "the kernel died"
        text = f"the kernel died: {self.exit_info}"
        if self.exit_info.output_tail:
            text += f"\nthe end of its output:\n{self.exit_info.output_tail.rstrip()}"
        return text


class KernelRestarted(KernelDied):
    """The kernel was restarted before it answered; the new one knows nothing of the request."""

    def __str__(self) -> str:
        return "the kernel was restarted before it answered"


class KernelUnresponsive(KernelError):
    """The kernel has not ended, but gave no sign of life for ``silence`` seconds while somebody waited.

    It may still come back, and then do what it was asked; ``result`` as in `KernelDied`.
    """

    def __init__(self, silence: float, result: "ExecutionResult | None" = None) -> None:
        super().__init__(silence, result)
        self.silence = silence
        self.result = result

    def __str__(self) -> str:
        return f"the kernel has given no sign of life for {self.silence:.1f} s"


class ClientClosed(KernelError, ChannelClosed):
    """The client is closed, or was before the kernel answered; ``result`` as in `KernelDied`."""

    def __init__(
        self, text: str = "the client is closed", *, result: "ExecutionResult | None" = None
    ) -> None:
        super().__init__(text)
        self.result = result


class NoReply(KernelError):
    """The kernel was done with a request, or ignored it, and sent no reply."""


class _StatusError(KernelError):
    """An execution that did not end well; ``result`` is the whole answer."""

    def __init__(self, result: "ExecutionResult") -> None:
        super().__init__(result)
        self.result = result


class ExecutionError(_StatusError):
    """The code raised."""

    def __str__(self) -> str:
        error = self.result.error
        if error is None:
            return "the code failed"
        return "\n".join([f"{error.ename}: {error.evalue}", *error.traceback])


class ExecutionInterrupted(_StatusError):
    """The code was interrupted."""

    def __str__(self) -> str:
        return "the execution was interrupted"


class ExecutionTimeout(_StatusError, TimeoutError):
    """The code ran longer than its ``timeout``, or did not begin within its ``queue_timeout``."""

    def __str__(self) -> str:
        if self.result.reply is not None:
            return "the execution took too long and was interrupted"
        return "the execution took too long; the kernel did not answer for it when it was given up"


class ExecutionAborted(_StatusError):
    """The code was not run, because of an error in an earlier request that had ``stop_on_error``."""

    def __str__(self) -> str:
        return "the execution was aborted: an earlier request failed"


class NotOwned(KernelError):
    """The kernel was not started by us: it is not ours to end or restart."""


class RestartFailed(KernelError):
    """The old kernel ended and no new one could be started (``__cause__`` says why); the state is dead."""


class SubshellError(KernelError):
    """A kernel with subshells refused a request about one, or did not answer in time.

    ``request`` is the type of the message, ``reason`` what the kernel said.
    """

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(request, reason)
        self.request = request
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.request}: {self.reason}"


class Unsupported(KernelError):
    """Something that this provider, manager or kernel cannot do; ``option`` is its name."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(option, reason)
        self.option = option
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.option}: {self.reason}"
