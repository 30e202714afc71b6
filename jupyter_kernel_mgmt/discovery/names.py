"""Names of kernel types: ``provider/name``. Pure."""

DEFAULT_PROVIDER = "spec"
"""The provider that a kernel type without a slash belongs to."""


def split_kernel_type(kernel_type: str) -> tuple[str, str]:
    """Provider id and name: ``"spec/python3"`` and ``"python3"`` both give ``("spec", "python3")``."""
    provider_id, slash, name = kernel_type.partition("/")
    return (provider_id, name) if slash else (DEFAULT_PROVIDER, kernel_type)
