"""Dicts of the first version as values of today."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import KernelTypeInfo, LaunchRequest, Limits, Unsupported
from jupyter_kernel_mgmt.original.shape import LaunchShape
from jupyter_kernel_mgmt.original.values import connection_info, launch_arguments, type_info
from jupyter_protocol import ConnectionInfo

from ._original import CONNECTION

BOTH = LaunchShape("launch", frozenset({"cwd", "launch_params"}))


def test_all_attributes_have_their_place() -> None:
    """The schema of parameters where it is today; what has no place of its own in the metadata."""
    attributes = {
        "display_name": "Name",
        "language_info": {"name": "python", "version": "3.9", "pygments_lexer": "x"},
        "argv": ["a", "b"],
        "resource_dir": "/r",
        "metadata": {"debugger": True, "launch_parameter_schema": {"type": "object"}},
        "address": "host",
    }

    assert type_info("n", attributes) == KernelTypeInfo(
        display_name="Name",
        language="python",
        language_version="3.9",
        argv=("a", "b"),
        metadata={
            "debugger": True,
            "launch_parameter_schema": {"type": "object"},
            "parameters": {"type": "object"},
            "resource_dir": "/r",
            "address": "host",
        },
    )


@pytest.mark.parametrize("language", [{"language": "r"}, {"language": {"name": "r"}}])
def test_little_is_enough(language: dict[str, Any]) -> None:
    """The name stands for a missing display name; the language was written in three ways."""
    assert type_info("n", {}) == KernelTypeInfo(display_name="n", language="")
    assert type_info("n", language).language == "r"


def test_arguments_are_what_was_asked_for() -> None:
    """Nothing is passed that nobody gave, so that the old defaults count."""
    asked = LaunchRequest(cwd=Path("/somewhere"), launch_params={"a": 1})

    assert launch_arguments(LaunchRequest(), LaunchShape("launch", frozenset())) == {}
    assert launch_arguments(asked, BOTH) == {"cwd": str(Path("/somewhere")), "launch_params": {"a": 1}}


@pytest.mark.parametrize(
    ("field", "value"),
    [("cwd", Path("/somewhere")), ("launch_params", {"a": 1})],
)
def test_what_the_signature_does_not_take_is_refused(field: str, value: object) -> None:
    others = LaunchShape("launch", BOTH.takes - {field})
    with pytest.raises(Unsupported, match="its launch takes none") as caught:
        launch_arguments(replace(LaunchRequest(), **{field: value}), others)
    assert caught.value.option == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("env", {"A": "b"}),
        ("env_policy", "replace"),
        ("env_policy", ["PATH"]),
        ("extra_arguments", ("--x",)),
        ("limits", Limits(nice=3)),
        ("prefix", ("env",)),
        ("transport", "ipc"),
        ("encryption", "required"),
        ("packer", "msgpack"),
        ("output", "inherit"),
    ],
)
def test_what_the_shape_has_no_place_for_is_refused_by_name(field: str, value: object) -> None:
    """Never ignored."""
    with pytest.raises(Unsupported) as caught:
        launch_arguments(replace(LaunchRequest(), **{field: value}), BOTH)
    assert caught.value.option == field


def test_every_field_of_a_request_was_thought_of() -> None:
    """One that is added later is refused, or said here to need no place."""
    thought_of = {"cwd", "launch_params", "kernel_id", "deadline", "on_progress", "previous", "forkserver"}
    refused = {"env", "env_policy", "extra_arguments", "limits", "prefix"}
    refused |= {"transport", "encryption", "packer", "output"}

    assert set(LaunchRequest.__dataclass_fields__) == thought_of | refused


def test_connection_information_is_a_dict_whose_key_may_be_bytes() -> None:
    info = connection_info(CONNECTION)

    assert info.key == "secret"
    assert info.port("shell") == 1
    assert connection_info(info) is info


@pytest.mark.parametrize("values", [None, "file.json", {**CONNECTION, "shell_port": "x"}])
def test_what_is_no_connection_information_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match=r"connection information|shell_port"):
        connection_info(values)


def test_connection_information_is_of_today() -> None:
    assert isinstance(connection_info(CONNECTION), ConnectionInfo)
