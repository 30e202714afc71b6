"""The provider `environments`: kernels inside of conda, pixi, venv, virtualenv, uv, poetry and pipenv.

Files and directory names alone tell what there is: nothing is run to find it.

=============  =====================================================================
`places`       where environments may be, of a user, a process and its project
`disk`         reading that remembers where it looked, for `watched`
`conda`        conda and pixi prefixes: which directories, what their names say
`venvs`        the same for whatever ``pyvenv.cfg`` marks
`survey`       all environments, each once
`layout`       interpreters and packages inside a prefix
`contents`     the kernels inside of one, launchable or not
`advice`       what to install, in the words of the tool that made it
`naming`       names of kernel types, and what users see
`activation`   what activating changes, as a difference of variables
`pixi`         what a pixi project adds to it
`scripts`      the part of it that only a shell can tell
`activations`  both, computed once
`options`      what ``load_config`` takes
`provider`     the provider
=============  =====================================================================
"""

from .provider import EnvironmentsProvider

__all__ = ["EnvironmentsProvider"]
