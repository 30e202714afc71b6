"""A kernelspec with parameters, from what it says of them to a real kernel that has them."""

import json
import os
import sys

import pytest

from jupyter_kernel_mgmt import (
    KernelFinder,
    KernelSpecProvider,
    LaunchError,
    LaunchParameters,
    Unsupported,
    find_kernels,
    launch,
)

PARAMETERS = {
    "properties": {
        "shown": {"type": "string", "enum": ["all", "last_expr"], "default": "last_expr"},
        "length": {"type": "integer", "minimum": 1},
        "log_level": {"type": "string", "enum": ["DEBUG", "ERROR"], "default": "ERROR"},
        "title": {"type": "string", "default": "none"},
        "memory": {"type": "integer"},
    },
    "required": ["length"],
}
SEEN = """
import os
shell = get_ipython()
[shell.ast_node_interactivity, shell.history_length, *map(os.environ.get, ["LEVEL", "PLACE", "TITLE"])]
"""


@pytest.fixture
def kernel_type(spec):
    """An ipykernel with parameters in its command and its environment."""
    argv = [
        *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
        "--InteractiveShell.ast_node_interactivity={shown}",
        "--InteractiveShell.history_length={parameters.length}",
    ]
    env = {"LEVEL": "{log_level}", "PLACE": "$HOME/${parameters.length}", "TITLE": "{title}"}
    kernel = {"argv": argv, "env": env, "display_name": "x", "language": "python"}
    spec("with_parameters", text=json.dumps({**kernel, "metadata": {"parameters": PARAMETERS}}))
    return "spec/with_parameters"


POSIX = pytest.mark.skipif(os.name == "nt", reason="nothing is forked there")


@pytest.mark.parametrize("forkserver", [False, pytest.param(True, marks=POSIX)])
async def test_a_kernel_has_what_was_asked_for_and_keeps_it_when_restarted(kernel_type, forkserver):
    """The rest has its defaults."""
    given = {"length": 7, "log_level": "DEBUG"}
    async with launch(kernel_type, launch_params=given, forkserver=forkserver) as kernel:
        for _ in range(2):
            result = await kernel.execute(SEEN)
            assert result.text == str(["last_expr", 7, "DEBUG", f"{os.environ['HOME']}/7", "none"])
            await kernel.restart()


async def test_what_a_kernel_type_takes_is_known_before_it_is_launched(kernel_type):
    """So that a form can be made of it."""
    infos = {name: info async for name, info in find_kernels()}
    parameters = LaunchParameters.from_metadata(infos[kernel_type].metadata)

    assert parameters.schema["properties"] == PARAMETERS["properties"]
    assert [name for name in parameters.names if not parameters.limits(name)] == ["title"]
    assert parameters.resolve({"length": 1})["shown"] == "last_expr"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "'length' must be given"),
        ({"length": "7"}, "'length' must be integer, not '7'"),
        ({"length": 7, "shown": "none"}, "'shown' must be one of 'all', 'last_expr', not 'none'"),
        ({"lenght": 7}, "no parameter 'lenght'; did you mean 'length'"),
        ({"length": 7, "memory": 1}, "no place for 'memory'"),
        ({"length": 7, "title": "A title"}, "'title' is refused: .* allow_unconstrained_parameters"),
    ],
)
async def test_what_cannot_end_well_is_refused_by_name_before_anything_starts(kernel_type, given, text):
    """Without waiting for any time-out."""
    with pytest.raises(Unsupported, match=text):
        await launch(kernel_type, launch_params=given)


async def test_free_text_reaches_a_kernel_where_that_is_allowed(kernel_type):
    """As it is, and as one variable."""
    title = "$HOME; {length} \"'\n-x"
    provider = KernelSpecProvider(allow_unconstrained_parameters=True)
    async with KernelFinder([provider]) as finder:
        given = {"length": 7, "title": title}
        async with launch(kernel_type, launch_params=given, finder=finder) as kernel:
            assert (await kernel.execute("import os; os.environ['TITLE']")).text == repr(title)


async def test_parameters_that_are_no_schema_are_told_at_once(spec):
    """With the reason."""
    kernel = {"argv": ["x"], "metadata": {"parameters": {"x": {"type": "text"}}}}
    spec("bad", text=json.dumps(kernel))
    with pytest.raises(LaunchError, match="parameters: this is no JSON Schema"):
        await launch("bad")
