"""`Arrangement`: which kernel types are shown, by what name and in what order, by configuration. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ..launching import KernelTypeInfo


@dataclass(frozen=True, slots=True)
class Arrangement:
    """``hide`` and ``order`` are patterns of kernel types, as ``"spec/*"``; ``rename`` gives display names.

    What is hidden is not found, but can be launched by its name.
    """

    hide: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)

    def hides_all_of(self, provider_id: str) -> bool:
        """Whether a provider need not be asked at all."""
        return f"{provider_id}/*" in self.hide or "*" in self.hide

    def shown(self, kernel_type: str, info: KernelTypeInfo) -> KernelTypeInfo | None:
        """How a kernel type is shown; None for one that is hidden."""
        if self.hide and any(fnmatchcase(kernel_type, pattern) for pattern in self.hide):
            return None
        name = self.rename.get(kernel_type)
        return info if name is None else replace(info, display_name=name)

    def ordered(self, found: Iterable[tuple[str, KernelTypeInfo]]) -> dict[str, KernelTypeInfo]:
        """By the first pattern of ``order`` that fits, what fits none coming last; then by name."""
        return dict(sorted(found, key=lambda item: (self._place(item[0]), item[0])))

    def _place(self, kernel_type: str) -> int:
        for place, pattern in enumerate(self.order):
            if fnmatchcase(kernel_type, pattern):
                return place
        return len(self.order)
