"""What an owner may say; what it may not is in the scenarios of the machine."""

from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt.agent.far_end.commands import Lines


@given(st.binary(max_size=200), st.integers(1, 20), st.integers(1, 20))
def test_lines_are_the_same_however_they_arrive(data: bytes, size: int, limit: int) -> None:
    """In pieces of any size; what is too long is None, once."""
    lines = Lines(limit)
    found = [line for at in range(0, len(data), size) for line in lines.feed(data[at : at + size])]
    assert found == [line if len(line) <= limit else None for line in data.split(b"\n")[:-1]]
