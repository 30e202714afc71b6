from jupyter_kernel_mgmt import ExitInfo
from jupyter_kernel_mgmt.cli.keeping import told


def test_an_end_is_told_with_what_the_kernel_wrote() -> None:
    """The end of that, if there was any."""
    assert told(ExitInfo(returncode=3)) == "the kernel has ended: exit code 3"
    tail = told(ExitInfo(returncode=3, output_tail="why\n"))
    assert tail == "the kernel has ended: exit code 3\nthe end of its output:\nwhy"
