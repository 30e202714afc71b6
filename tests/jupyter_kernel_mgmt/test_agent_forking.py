"""What a fork cannot change."""

from jupyter_kernel_mgmt.agent import needs_new_interpreter


def test_what_a_fork_cannot_change_is_named() -> None:
    here = {"PATH": "a", "PYTHONPATH": "x", "LANG": "C", "TZ": "UTC"}
    assert needs_new_interpreter(here, here) == []
    assert needs_new_interpreter(here, {**here, "PATH": "b", "TZ": "CET", "PYTHONSTARTUP": "s"}) == []
    assert needs_new_interpreter(here, {"PATH": "a", "LD_PRELOAD": "y"}) == [
        "LANG",
        "LD_PRELOAD",
        "PYTHONPATH",
    ]
