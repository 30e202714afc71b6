"""Options from TOML files, and errors that say where they are wrong."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jupyter_kernel_mgmt import BadConfiguration, Configuration, KernelFinder
from jupyter_kernel_mgmt.discovery.configuration import FILE_NAME
from jupyter_kernel_mgmt.providerbase import refuse_options
from jupyter_kernel_mgmt.testing import FakeProvider


def written(directory: Path, text: str) -> Path:
    directory.mkdir(exist_ok=True)
    file = directory / FILE_NAME
    file.write_text(text)
    return file


GOOD = """
[finder]
search_timeout = 2.5
hide = ["old", "pyimport/*", "*"]
order = ["environments/*"]
[finder.rename]
python3 = "Mine"
"environments/x" = "X"
[providers.fake]
size = 3
"""


def test_what_a_file_says(tmp_path: Path) -> None:
    """Kernel types without a slash are kernelspecs here too."""
    config = Configuration.load([written(tmp_path, GOOD)])

    assert config.finder.search_timeout == 2.5
    assert config.finder.hide == ("spec/old", "pyimport/*", "*")
    assert config.finder.order == ("environments/*",)
    assert config.finder.rename == {"spec/python3": "Mine", "environments/x": "X"}
    assert config.providers == {"fake": {"size": 3}}


def test_the_first_file_that_has_an_option_wins(tmp_path: Path) -> None:
    first = written(tmp_path / "a", "[finder]\nhide = []\n[providers.fake]\nsize = 1\n")
    second = written(tmp_path / "b", "[finder]\nhide=['x']\norder=['y']\n[providers.fake]\nsize=2\ncolor=1\n")
    config = Configuration.load([first, tmp_path / "missing", second])

    assert config.finder.hide == ()
    assert config.finder.order == ("spec/y",)
    assert config.providers == {"fake": {"size": 1, "color": 1}}
    assert str(config.error(("providers", "fake", "size"), "x")).startswith(f"{first}, line 4: ")
    assert str(config.error(("providers", "fake", "color"), "x")).startswith(f"{second}, line 6: ")


def test_files_are_looked_for_in_jupyters_configuration_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    written(tmp_path, "[finder]\nhide = ['here']\n")
    assert Configuration.load().finder.hide == ("spec/here",)


@pytest.mark.parametrize(
    ("text", "line", "option", "says"),
    [
        ("[finder]\nhide = 3\n", 2, "finder.hide", "list of patterns"),
        ("[finder]\n\nhide = [1]\n", 3, "finder.hide", "list of patterns"),
        ("[finder]\nsearch_timeout = 0\n", 2, "finder.search_timeout", "number of seconds"),
        ("[finder]\nsearch_timeout = true\n", 2, "finder.search_timeout", "number of seconds"),
        ("[finder]\nsearch_timeout = nan\n", 2, "finder.search_timeout", "number of seconds"),
        ("[finder]\nrename = 'x'\n", 2, "finder.rename", "table of display names"),
        ("[finder.rename]\nx = 1\n", 1, "finder.rename", "table of display names"),
        ("[finder]\nhyde = []\n", 2, "finder.hyde", "no such option; there are search_timeout"),
        ("[provider.spec]\n", 1, "provider", "no table 'provider'"),
        ("providers = 1\n", 1, "providers", "must be a table"),
        ("[providers]\nspec = 1\n", 2, "providers.spec", "must be a table"),
    ],
)
def test_what_cannot_be_meant_is_told_with_file_and_line(
    tmp_path: Path, text: str, line: int, option: str, says: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(BadConfiguration, match=re.escape(f"{file}, line {line}: {option}: ")) as caught:
        Configuration.load([file])
    assert (caught.value.file, caught.value.line, caught.value.option) == (file, line, option)
    assert says in caught.value.text


def test_a_file_that_is_not_toml_is_told_with_the_line(tmp_path: Path) -> None:
    file = written(tmp_path, "[finder]\nhide = [\n")
    with pytest.raises(BadConfiguration, match=rf"{re.escape(str(file))}: is not TOML: .*"):
        Configuration.load([file])
    file.write_bytes(b"\xff")
    with pytest.raises(BadConfiguration, match="cannot be read"):
        Configuration.load([file])


class Sized(FakeProvider):
    """Takes one option."""

    size = 0

    def load_config(self, config: Mapping[str, Any]) -> None:
        refuse_options(config, ("size",))
        if not isinstance(config["size"], int):
            raise TypeError(f"size: must be a whole number, not {config['size']!r}")
        self.size = config["size"]


async def test_a_provider_gets_what_is_configured_for_its_id(tmp_path: Path) -> None:
    provider = Sized()
    async with KernelFinder([provider], config=Configuration.load([written(tmp_path, GOOD)])):
        assert provider.size == 3


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[providers.fake]\nsize = 'large'\n", 2, "providers.fake.size: must be a whole number"),
        (
            "[providers.fake]\nsize = 1\ncolour = 1\n",
            3,
            "providers.fake.colour: there is no such option; there are size",
        ),
    ],
)
def test_what_a_provider_refuses_is_told_with_file_and_line(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(BadConfiguration, match=re.escape(f"{file}, line {line}: {says}")):
        KernelFinder([Sized()], config=Configuration.load([file]))


def test_a_provider_without_options_refuses_all() -> None:
    with pytest.raises(BadConfiguration, match=r"fake\.size: .* there are none"):
        KernelFinder([FakeProvider()], config={"providers": {"fake": {"size": 1}}})


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[finder]\nhide = 3\n", 2, "hide"),
        ("[providers.spec]\n[providers.enviroments]\n", 2, "did you mean 'environments'?"),
    ],
)
async def test_what_is_wrong_in_the_files_is_a_problem_of_each_search_and_stops_nobody(
    text: str, line: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the id of a provider that is nearly that of one which is installed."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    file = written(tmp_path, text)
    async with KernelFinder.from_entrypoints() as finder:
        search = finder.find_kernels()
        assert [name async for name, _ in search]
    [problem] = search.problems
    assert (problem.provider, problem.where) == ("", "configuration")
    assert f"{file}, line {line}" in problem.text
    assert said in problem.text


async def test_options_for_a_provider_that_is_elsewhere_are_no_problem(tmp_path: Path) -> None:
    """The file is read where it is installed too; and a finder of some providers takes what it needs."""
    file = written(tmp_path, "[providers.zzz]\n[providers.enviroments]\n")
    config = Configuration.load([file])
    async with KernelFinder([FakeProvider()], config=config) as finder:
        search = finder.find_kernels()
        assert [name async for name, _ in search] == ["fake/kernel"]
        assert search.problems == []
    async with KernelFinder.from_entrypoints(config={"providers": {"zzz": {}}}) as finder:
        search = finder.find_kernels()
        assert [name async for name, _ in search]
        assert search.problems == []


def test_a_place_that_cannot_be_looked_at_has_no_file(tmp_path: Path) -> None:
    """Such as one within a directory that is closed to us; here its name is too long."""
    assert Configuration.load([tmp_path / ("x" * 300) / "file.toml"]).providers == {}
