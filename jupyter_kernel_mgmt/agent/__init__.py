"""Agents: a small program at the far end of a pipe that owns processes for us, and our end of that pipe.

`far_end` is one program of the standard library, for POSIX and Python 3.8 and newer, run by path or sent as
text. It starts and forks processes, passes on signals, reports exits, and when its owner goes away (the
pipe ends, or a pidfd of the owner tells) it ends everything: process groups, descendants, whatever carries
its mark in ``/proc/PID/environ``, files. `Agent` is our end.

The protocol, version 1: JSON objects in UTF-8, one a line, at most 4 MiB each, from the owner on stdin and
to it on stdout. A command has ``do`` and, if an answer is wanted, a number ``re``; an event has ``event``
and repeats ``re``. Anything else is answered with ``failed``.

======================  =========================================================================
command                 means, and is answered by
======================  =========================================================================
start id argv …         run a command in a session of its own → started, failed; later exited
fork id entry argv …    the same with "module:function" in a fork of the agent, once it is prepared
prepare modules code    import and run this, before anything is started → prepared
signal id number        to the process group → done, failed
end id                  SIGKILL to all that belongs to it → done
guard id …              pid, start, mark, files, directories of a process of the owner's own → done
release id              guard it no more → done
close                   end everything and exit → closed
======================  =========================================================================

start and fork take ``cwd``, ``env`` (null removes), ``inherit`` (true, false or names), ``limits``
(memory, cpu_time, open_files, nice), ``mark``, ``files``, ``directories``, ``output`` and ``tail``. Events:
hello, prepared, started (pid, start), failed (text, errno), exited (code, negative for a signal; output,
the end of it), output (data in base64), done, closed.

Where output goes: ``descriptor`` writes to one that comes with the command (SCM_RIGHTS). It is what local
owners use: their own thread drains the pipe, no byte is copied twice, and the output outlives the agent.
``tail`` and ``stream`` are for owners that are elsewhere: the agent drains the pipe, keeps the end and
passes the rest on; an owner that does not read loses pieces of the stream, which are counted, and never
stops a kernel. ``examples/agent.md`` shows it all at work.
"""

from .forking import IPYKERNEL_ENTRY, IPYKERNEL_MODULES, interpreter_environment, needs_new_interpreter
from .near_end import Agent
from .processes import AgentProcess

__all__ = [
    "Agent",
    "AgentProcess",
    "IPYKERNEL_ENTRY",
    "IPYKERNEL_MODULES",
    "interpreter_environment",
    "needs_new_interpreter",
]
