"""Results in any order."""

from jupyter_kernel_mgmt._latest import Latest


def test_what_began_last_counts_in_whichever_order_it_ends() -> None:
    latest = Latest[str]()
    first, second, third = latest.begin(), latest.begin(), latest.begin()
    assert latest.value is None
    latest.end(second, "second")
    latest.end(first, "first")
    assert latest.value == "second"
    latest.end(third, "third")
    assert latest.value == "third"
