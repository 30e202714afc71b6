"""The far end of an agent: starts, forks, watches, signals and ends processes for an owner.

Standard library only, Python 3.8 and newer, POSIX. It is one program, whose `__main__` is run by path, or
whose text is sent and exec'd, and imports nothing of the package it comes with. The protocol is described
in the docstring of that package.

======================================  ================================================================
`commands`                              what is said: lines, and what they may ask for
`ward`, `machine`                       what is decided: plain, no process and no descriptor
`processes`, `children`, `sweeping`     what is seen of other processes and done to them
`launching`, `becoming`                 a new child: from our side, and what it does to itself
`forks`                                 children that run on in what was imported for them
`owner`, `outputs`                      who is watched, heard and told; what processes write
`loop`, `runner`                        what waits for all that, and what joins it with the machine
`program`, `__main__`                   how it begins
======================================  ================================================================

What it imports was chosen for its start, which every launch waits for: pathlib would cost a third of it and
typing a fifth, so that `TYPE_CHECKING` is a constant of each module.
"""
