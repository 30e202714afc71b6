"""Does a provider keep the promises of `KernelProviderBase`? For the tests of those who write one."""

from collections.abc import Mapping
from typing import Any

from ..exceptions import LaunchError, NoSuchKernel, Unsupported
from ..launching import KernelTypeInfo, LaunchRequest
from ..managerbase import missing_methods
from ..providerbase import REQUIRED, BlockingProviderBase, KernelProviderBase
from ._adopting_checks import check_adopting
from ._finding_checks import UNKNOWN_NAME, check_options, check_resources, check_search, check_watched
from ._launch_checks import check_launches, close_launched
from ._promises import is_name, require, within

WORDS = 3
"""The fewest words that can say why something cannot be launched."""


async def check_provider(
    provider: KernelProviderBase | BlockingProviderBase,
    *,
    kernel_name: str | None = None,
    launch_params: Mapping[str, Any] | None = None,
    takes_any_parameter: bool = False,
    timeout: float = 60.0,
) -> None:
    """Check a provider by finding, launching, managing and cancelling kernels of it; it stays open.

    ``kernel_name`` is the type to launch (by default the first that is found without an obstacle), with
    ``launch_params``; ``takes_any_parameter`` says that unknown ones are no mistake. No step may take longer
    than ``timeout`` seconds. Starts about ten kernels, and two more to be adopted where the provider does
    that; leaves none, also when it is cancelled.

    Raises `AssertionError` for the first promise that is not kept.
    """
    adapted = _check_class(provider)
    check_options(adapted)
    types = await check_search(adapted, timeout)
    await check_watched(adapted, timeout)
    await check_resources(adapted, types, timeout)
    name = kernel_name or next((name for name, info in types.items() if not info.obstacle), None)
    if name is None:
        raise AssertionError(
            "find_kernels() found nothing to launch: install a kernel type, or give kernel_name="
        )
    params = dict(launch_params or {})
    await _check_unknown_name(adapted, timeout)
    for other, info in types.items():
        if info.obstacle:
            await _check_obstacle(adapted, other, info, timeout)
    if name in types and types[name].obstacle:
        raise AssertionError(
            f"name another type as kernel_name: {name!r} has an obstacle, {types[name].obstacle}"
        )
    await check_launches(
        lambda request: adapted.launch(name, request),
        params,
        takes_any_parameter=takes_any_parameter,
        timeout=timeout,
    )
    await check_adopting(adapted, name, params, timeout)


def _check_class(provider: KernelProviderBase | BlockingProviderBase) -> KernelProviderBase:
    kind = type(provider).__name__
    blocking = isinstance(provider, BlockingProviderBase)
    base = BlockingProviderBase if blocking else KernelProviderBase
    require(isinstance(provider, base), f"derive {kind} from KernelProviderBase or BlockingProviderBase")
    missing = missing_methods(type(provider), base, REQUIRED)
    require(not missing, f"give {kind} a method {' and '.join(missing)}")
    require(
        is_name(provider.id),
        f"give {kind} an id of letters, digits and '._-', the same as the name of its entry point; "
        f"it is {provider.id!r}",
    )
    return provider.as_async() if isinstance(provider, BlockingProviderBase) else provider


async def _check_unknown_name(provider: KernelProviderBase, timeout: float) -> None:
    attempt = provider.launch(UNKNOWN_NAME, LaunchRequest())
    try:
        launched = await within(timeout, attempt, "launch() of an unknown name")
    except NoSuchKernel:
        return
    except AssertionError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise AssertionError(f"raise NoSuchKernel from launch() for an unknown name, not {kind}") from error
    await close_launched(launched)
    raise AssertionError("raise NoSuchKernel from launch() for an unknown name; it launched something")


async def _check_obstacle(
    provider: KernelProviderBase, name: str, info: KernelTypeInfo, timeout: float
) -> None:
    """What cannot be launched says so at once, and why."""
    attempt = provider.launch(name, LaunchRequest())
    try:
        launched = await within(timeout, attempt, f"launch() of {name!r}, which has an obstacle,")
    except (LaunchError, Unsupported) as error:
        require(
            len(str(error).split()) >= WORDS,
            f"say in the error of launch() why {name!r} cannot be launched and what to do about it, as its "
            f"obstacle does; the error is {str(error)!r}",
        )
        return
    except AssertionError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise AssertionError(
            f"raise LaunchError or Unsupported from launch() of {name!r}, which has an obstacle, not {kind}"
        ) from error
    await close_launched(launched)
    raise AssertionError(f"give {name!r} no obstacle: it was launched all the same")
