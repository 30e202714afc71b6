"""On which line of a TOML file a key stands."""

import tomllib

import pytest

from jupyter_kernel_mgmt.discovery.toml_lines import line_of

TEXT = '''# a comment
[finder]
hide = [
    "spec/x",
]
"search_timeout" = 3

[providers.spec]  # the one
directories = []
text = """
[providers.hidden]
fake = 1
"""
[providers."my.own"]
'a key' = 2
deep.er = true
[[many]]
x = 1
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("finder",), 2),
        (("finder", "hide"), 3),
        (("finder", "search_timeout"), 6),
        (("finder", "nothing"), 2),
        (("providers", "spec"), 8),
        (("providers", "spec", "directories"), 9),
        (("providers", "my.own", "a key"), 15),
        (("providers", "my.own", "deep", "er"), 16),
        (("many", "x"), 18),
        (("providers",), 8),
        (("nowhere",), None),
        ((), None),
    ],
)
def test_the_line_is_that_of_the_key_or_of_the_table_around_it(
    path: tuple[str, ...], line: int | None
) -> None:
    assert tomllib.loads(TEXT)
    assert line_of(TEXT, path) == line
