"""`SubprocessLauncher`: starts a kernel as a child process, from a command."""

import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_protocol import has_curve

from ..command_template import CommandTemplate
from ..exceptions import LaunchError
from ..launch_parameters import BadParameters, LaunchParameters
from ..launcherbase import KernelLauncherBase
from ..launching import ExitInfo, InterruptMode, Launched, LaunchRequest
from .addresses import ipc_obstacle, socket_directory
from .arrival import expected
from .encryption import decide
from .environment import kernel_environment
from .forked import ForkedManager, fork
from .forkserver import forkable
from .helpers import LocalHelpers
from .ipykernel import packer_arguments, started_here
from .limits import limit, refuse_what_cannot_be_limited
from .local import LocalManager
from .manager import SubprocessManager
from .place import Place
from .process import start
from .transports import choose

log = logging.getLogger(__name__)


class SubprocessLauncher(KernelLauncherBase):
    """Starts one kernel type.

    ``argv`` is the command; ``{connection_file}`` and the names in ``fields`` are filled in. ``env`` is added
    to the inherited environment, ``${NAME}`` in it replaced. Launch parameters are filled in in both
    (`CommandTemplate`), as the schema in the metadata has it (`LaunchParameters`); those whose text no schema
    limits are refused without ``allow_unconstrained``. ``metadata`` and ``protocol_version`` are the
    kernelspec's. Launchers of one provider share its ``helpers``; without them nothing is forked.

    ipykernel's module is started by a program of this package, so that its output has no limit of 1,000
    messages, above which it would drop what nobody has read yet.

    ``changes`` are made to the inherited variables first, and not replaced in; None removes one.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        kernel_name: str = "",
        env: Mapping[str, str] | None = None,
        interrupt_mode: InterruptMode = "signal",
        metadata: Mapping[str, Any] | None = None,
        protocol_version: str = "",
        fields: Mapping[str, str] | None = None,
        helpers: LocalHelpers | None = None,
        allow_unconstrained: bool = False,
        changes: Mapping[str, str | None] | None = None,
    ) -> None:
        self.argv = tuple(argv)
        self.kernel_name = kernel_name
        self.env = dict(env or {})
        self.interrupt_mode: InterruptMode = interrupt_mode
        self.metadata = dict(metadata or {})
        self.protocol_version = protocol_version
        self.fields = dict(fields or {})
        self.allow_unconstrained = allow_unconstrained
        self.changes = dict(changes or {})
        self._can_fork = helpers is not None  # a server for one kernel would only cost time
        self._helpers = helpers or LocalHelpers()

    async def launch(self, request: LaunchRequest) -> Launched:
        """Start the process; it need not be ready when this returns.

        Where the kernel chooses its ports itself, this waits until it has told them. Raises `LaunchError`
        where the command cannot be run, files cannot be written, the metadata's parameters are no schema or
        the kernel ends before that; `StartupTimeout` when it has not told them by the request's deadline;
        `Unsupported` for launch parameters that are refused, or what this system cannot do. Cancelling it
        ends the process and leaves nothing.
        """
        refuse_what_cannot_be_limited(request.limits)
        parameters, values = self._parameters(request)
        place = self._place(request)
        manager: LocalManager | None = None
        argv: tuple[str, ...] = ()
        try:
            fields = {**self.fields, "connection_file": str(place.connection_file)}
            command, env = CommandTemplate(self.argv, self.env).fill(fields, values, parameters)
            if not request.prefix:  # which might lead to where this package is not
                command = started_here(command)
            packing = packer_arguments(request.packer, command)
            argv = (*request.prefix, *command, *packing, *request.extra_arguments)
            async with expected(place, request, self._helpers.registrations) as arrive:
                manager = await self._start(argv, env, request, place)
                place.connection_info = await arrive(manager.exited)
        except BaseException as error:
            if manager is None:
                await place.release()
            else:
                await manager.aclose()
                if isinstance(error, LaunchError):
                    _explain(error, argv, await manager.output_tail())
            raise
        return Launched(
            connection_info=place.connection_info,
            connection_file=place.connection_file,
            manager=manager,
            interrupt_mode=self.interrupt_mode,
            command=argv,
        )

    def _parameters(self, request: LaunchRequest) -> tuple[LaunchParameters, dict[str, Any]]:
        """What there is, and the values to launch with."""
        try:
            parameters = LaunchParameters.from_metadata(self.metadata)
        except BadParameters as error:
            raise LaunchError(f"the kernel's metadata cannot be used: {error}") from error
        template = CommandTemplate(self.argv, self.env)
        known = {**self.fields, "connection_file": ""}
        template.refuse_fields(request.launch_params, known)
        values = parameters.resolve(
            request.launch_params,
            allow_unconstrained=self.allow_unconstrained,
            places=template.places(known),
        )
        template.refuse_unplaced(request.launch_params, known)
        return parameters, values

    async def _start(
        self, argv: tuple[str, ...], env: Mapping[str, str], request: LaunchRequest, place: Place
    ) -> LocalManager:
        """Start the process. ``env`` is the kernelspec's, with the parameters filled in."""
        if request.forkserver:
            forked = await self._fork(argv[len(request.prefix) :], env, request, place)
            if isinstance(forked, ForkedManager):
                return forked
            log.info("Kernel %s is not forked: %s", request.kernel_id, forked)
            request.progress(f"starting without a fork server: {forked}")
        return await self._start_cold(argv, env, request, place)

    async def _fork(
        self, argv: tuple[str, ...], spec: Mapping[str, str], request: LaunchRequest, place: Place
    ) -> ForkedManager | str:
        """The kernel, or why it has to be started in another way."""
        if not self._can_fork:
            return "its provider keeps no fork server"
        what = forkable(argv, request.prefix)
        if isinstance(what, str):
            return what
        mark = f"{request.kernel_id}:{secrets.token_hex(8)}"
        env = self._environment(spec, request, mark)
        try:
            return await fork(self._helpers.forkservers, what, request, place, env, mark)
        except (LaunchError, OSError, RuntimeError) as error:
            return str(error)

    async def _start_cold(
        self, argv: tuple[str, ...], spec: Mapping[str, str], request: LaunchRequest, place: Place
    ) -> SubprocessManager:
        ward = self._helpers.guard.ward(request.kernel_id)
        try:
            env = self._environment(spec, request, ward.mark)
            started = start(argv, env=env, cwd=request.cwd, output=request.output)
            try:
                ward.started(started.process.pid)
                limit(started.process.pid, request.limits)
                return SubprocessManager(request.kernel_id, started, place, ward)
            except BaseException:
                started.abandon()
                raise
        except BaseException as error:
            await ward.end()
            if isinstance(error, OSError | RuntimeError):  # no descriptor or no thread to be had
                raise LaunchError(f"the kernel's process cannot be watched: {error}") from error
            raise

    def _environment(self, spec: Mapping[str, str], request: LaunchRequest, mark: str) -> dict[str, str]:
        return kernel_environment(
            os.environ, spec, request.env, request.env_policy, mark=mark, changes=self.changes
        )

    def _place(self, request: LaunchRequest) -> Place:
        """The place of the kernel that this one follows, or a new one."""
        previous = None if request.previous is None else request.previous.manager
        if isinstance(previous, LocalManager):
            previous.place.hold_again()
            return previous.place
        choice = choose(
            request.transport,
            argv=self.argv,
            metadata=self.metadata,
            protocol_version=self.protocol_version,
            # mkdtemp appends eight letters to the prefix
            ipc_obstacle=ipc_obstacle(socket_directory() / "jupyter-xxxxxxxx"),
        )
        encrypted = decide(
            request.encryption, transport=choice.transport, metadata=self.metadata, available=has_curve()
        )
        log.info("Kernel %s uses %s: %s", request.kernel_id, choice.way, choice.reason)
        how = "is encrypted" if encrypted.curve else "is not encrypted"
        log.info("Kernel %s %s: %s", request.kernel_id, how, encrypted.reason)
        place = Place.create(
            request.kernel_id, self.kernel_name, choice, curve=encrypted.curve, packer=request.packer
        )
        place.guard(self._helpers.guard)
        return place


def _explain(error: LaunchError, argv: tuple[str, ...], output_tail: str) -> None:
    """Say of a kernel that did not start what it was and what it wrote."""
    error.command = argv
    if error.exit_info is None:
        error.exit_info = ExitInfo(output_tail=output_tail)
