"""What `check_provider` asks of finding: names, and what they come with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._threads import in_thread
from ..discovery import iterate_found
from ..exceptions import NoSuchKernel, NoSuchResource
from ..launching import KernelTypeInfo
from ..providerbase import KernelProviderBase
from ._promises import is_name, overrides, require, within

UNKNOWN_NAME = "no-such-kernel-type"
UNKNOWN_OPTION = "no_such_option"
UNKNOWN_FILE = "no-such-file.png"

HERE = Path(__file__)
OUTSIDE = (HERE.as_posix(), "../" * 40 + HERE.relative_to(HERE.anchor).as_posix())
"""Names by which a file that exists would be had, if a provider took them as they are."""


def check_options(provider: KernelProviderBase) -> None:
    """An option that there is not is refused by its name."""
    try:
        provider.load_config({UNKNOWN_OPTION: 1})
    except (ValueError, TypeError) as error:
        require(
            str(error).startswith(UNKNOWN_OPTION),
            "begin the error of load_config() with the option's name, so that users find it in their file; "
            f"for {UNKNOWN_OPTION!r} it is {str(error)!r}",
        )
        return
    except Exception as error:
        kind = type(error).__name__
        raise AssertionError(
            f"raise ValueError or TypeError from load_config() for an option that there is not, not {kind}"
        ) from error
    raise AssertionError(
        f"refuse options that there are not in load_config(): it took {UNKNOWN_OPTION!r}, "
        "so that nobody would hear of a misspelt one; see refuse_options()"
    )


async def check_search(provider: KernelProviderBase, timeout: float) -> dict[str, KernelTypeInfo]:
    """Search, again, again after a refresh, and not to the end: what was found."""
    first = await within(timeout, _search(provider), "find_kernels()")
    again = await within(timeout, _search(provider), "a second find_kernels()")
    require(
        first.keys() == again.keys(),
        f"let find_kernels() find the same each time; it found {sorted(first)} and then {sorted(again)}",
    )
    await within(timeout, provider.refresh(), "refresh()")
    fresh = await within(timeout, _search(provider), "a find_kernels() after refresh()")
    require(
        first.keys() == fresh.keys(),
        f"let find_kernels() find the same after refresh(): first {sorted(first)}, then {sorted(fresh)}",
    )
    await within(timeout, _give_up_search(provider), "a find_kernels() that is given up after one item")
    return first


async def _search(provider: KernelProviderBase) -> dict[str, KernelTypeInfo]:
    found: dict[str, KernelTypeInfo] = {}
    async for item in iterate_found(provider):
        pair: object = item
        require(
            isinstance(pair, tuple) and len(pair) == 2,
            f"let find_kernels() yield pairs (name, KernelTypeInfo), not {item!r}",
        )
        name, info = item
        require(is_name(name), f"let find_kernels() yield names of letters, digits and '._-', not {name!r}")
        require(name not in found, f"let find_kernels() yield each name once; {name!r} came twice")
        require(
            isinstance(info, KernelTypeInfo),
            f"let find_kernels() yield a KernelTypeInfo beside {name!r}, not a {type(info).__name__}",
        )
        require(info.display_name, f"give the kernel type {name!r} a display_name: users choose by it")
        _check_info(name, info)
        found[name] = info
    return found


def _check_info(name: str, info: KernelTypeInfo) -> None:
    """What others take apart is of the type that it is said to be of."""
    argv: object = info.argv
    require(
        isinstance(argv, Sequence)
        and not isinstance(argv, str)
        and all(isinstance(part, str) for part in argv),
        f"give the kernel type {name!r} an argv that is a sequence of texts, not {argv!r}",
    )
    for field in ("language", "language_version", "prefix", "obstacle"):
        value: object = getattr(info, field)
        require(
            isinstance(value, str), f"give the kernel type {name!r} a {field} that is text, not {value!r}"
        )


async def _give_up_search(provider: KernelProviderBase) -> None:
    search = iterate_found(provider)
    async for _ in search:
        break
    await search.aclose()


async def check_watched(provider: KernelProviderBase, timeout: float) -> None:
    """As a finder asks for it: in a thread, after a search."""

    def watched() -> list[Any] | None:
        paths: Any = provider.watched()
        if paths is None:
            return None
        require(not isinstance(paths, str | Path), "return several paths from watched(), not a single one")
        return list(paths)

    try:
        paths = await within(timeout, in_thread(watched, name="check-watched"), "watched()")
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(
            f"let watched() raise nothing, also where a path does not exist; it raised {error!r}"
        ) from error
    for path in paths or ():
        require(isinstance(path, Path), f"return paths from watched(), each a pathlib.Path, not {path!r}")


async def check_resources(
    provider: KernelProviderBase, types: dict[str, KernelTypeInfo], timeout: float
) -> None:
    """Each file that is named is there, and nothing else is."""
    for name, info in types.items():
        named = await within(timeout, provider.resources(name), "resources()")
        require(
            not isinstance(named, str) and all(isinstance(filename, str) for filename in named),
            f"return a sequence of file names from resources(), not {named!r}",
        )
        for filename in dict.fromkeys((*named, *info.resources)):
            content = await within(timeout, _resource(provider, name, filename), "resource()")
            require(content is not None, f"give {filename!r} in resource(), or do not name it for {name!r}")
        for filename in (UNKNOWN_FILE, *OUTSIDE):
            content = await within(timeout, _resource(provider, name, filename), "resource()")
            require(
                content is None,
                "raise NoSuchResource from resource() for what resources() does not name; "
                f"for {filename!r} it gave a content",
            )
    if overrides(provider, "resources"):
        await _check_unknown_type(provider, timeout)


async def _resource(provider: KernelProviderBase, name: str, filename: str) -> bytes | None:
    """The content; None where there is no such file."""
    try:
        content: object = await provider.resource(name, filename)
    except NoSuchResource:
        return None
    except Exception as error:
        raise AssertionError(
            f"raise NoSuchResource from resource() where there is none; it raised {error!r} for {filename!r}"
        ) from error
    require(isinstance(content, bytes), f"return bytes from resource(), not a {type(content).__name__}")
    assert isinstance(content, bytes), "it was just required"
    return content


async def _check_unknown_type(provider: KernelProviderBase, timeout: float) -> None:
    try:
        await within(timeout, provider.resources(UNKNOWN_NAME), "resources() of an unknown name")
    except NoSuchKernel:
        return
    except AssertionError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise AssertionError(
            f"raise NoSuchKernel from resources() for an unknown name, not {kind}"
        ) from error
    raise AssertionError("raise NoSuchKernel from resources() for an unknown name; it gave names")
