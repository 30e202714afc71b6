"""The dicts of the first version and the values of today, in both directions."""

import os
from collections.abc import Mapping
from typing import Any

from jupyter_protocol import ConnectionInfo

from ..exceptions import Unsupported
from ..launching import KernelTypeInfo, LaunchRequest, Limits
from .shape import LaunchShape

SCHEMA = "launch_parameter_schema"
"""Where the first version kept the JSON Schema of launch parameters, in a kernel type's metadata."""

_HAVE_A_PLACE = {"display_name", "language", "language_info", "argv", "metadata"}


def type_info(name: str, attributes: Mapping[str, Any]) -> KernelTypeInfo:
    """What is known of a kernel type, from the dict beside its name.

    The schema of launch parameters is in ``metadata["parameters"]`` too, and attributes that have no place
    of their own, such as ``resource_dir``, are in ``metadata``. Raises `TypeError` for attributes that are
    of no use.
    """
    language = attributes.get("language_info") or attributes.get("language") or ""
    described = language if isinstance(language, Mapping) else {"name": language}
    metadata = {key: value for key, value in attributes.items() if key not in _HAVE_A_PLACE}
    metadata |= attributes.get("metadata") or {}
    if SCHEMA in metadata:
        metadata.setdefault("parameters", metadata[SCHEMA])
    return KernelTypeInfo(
        display_name=str(attributes.get("display_name") or name),
        language=str(described.get("name") or ""),
        language_version=str(described.get("version") or ""),
        argv=tuple(map(str, attributes.get("argv") or ())),
        metadata=metadata,
    )


def launch_arguments(request: LaunchRequest, shape: LaunchShape) -> dict[str, Any]:
    """The arguments of a launch besides the name.

    Raises `Unsupported`, naming the field, for what this launch has no place for. ``kernel_id``,
    ``deadline``, ``on_progress`` and ``previous`` need none, and ``forkserver`` asks for what may fail.
    """
    refuse(request)
    given: dict[str, Any] = {}
    if request.cwd is not None:
        given["cwd"] = os.fspath(request.cwd)
    if request.launch_params:
        given["launch_params"] = dict(request.launch_params)
    for field in given:
        if field not in shape.takes:
            raise Unsupported(
                field, f"this provider is in the original shape, and its {shape.method} takes none"
            )
    return given


def refuse(request: LaunchRequest) -> None:
    """Raise `Unsupported` for the first field that no provider in the original shape could honour."""
    wanted = {
        "env": bool(request.env),
        "env_policy": request.env_policy != "inherit",
        "extra_arguments": bool(request.extra_arguments),
        "limits": request.limits != Limits(),
        "prefix": bool(request.prefix),
        "transport": request.transport != "auto",
        "encryption": request.encryption == "required",
        "packer": request.packer != "json",
        "output": request.output is not None,
    }
    for field, is_wanted in wanted.items():
        if is_wanted:
            raise Unsupported(field, "providers in the original shape have no place for it")


def connection_info(values: object) -> ConnectionInfo:
    """How to reach a kernel, from the dict of a launch. Raises `ValueError`, naming the field."""
    if isinstance(values, ConnectionInfo):
        return values
    if not isinstance(values, Mapping):
        raise ValueError(f"connection information must be a dict, not {type(values).__name__}")
    # Keys were bytes in sessions of that time, and some launches hand them over as they are.
    return ConnectionInfo.from_dict(
        {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}
    )
