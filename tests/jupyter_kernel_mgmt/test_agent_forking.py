"""What a fork cannot change."""

from jupyter_kernel_mgmt.agent import interpreter_environment, needs_new_interpreter


def test_what_a_fork_cannot_change_is_named() -> None:
    here = {"PATH": "a", "PYTHONPATH": "x", "LANG": "C", "TZ": "UTC"}
    assert needs_new_interpreter(here, here) == []
    assert needs_new_interpreter(here, {**here, "PATH": "b", "TZ": "CET", "PYTHONSTARTUP": "s"}) == []
    assert needs_new_interpreter(here, {"PATH": "a", "LD_PRELOAD": "y"}) == [
        "LANG",
        "LD_PRELOAD",
        "PYTHONPATH",
    ]


def test_an_agent_starts_with_what_a_fork_cannot_change_and_nothing_else_of_the_kernel() -> None:
    """The rest is ours: it can be read in every fork."""
    ours = {"PATH": "a", "PYTHONPATH": "x", "LANG": "C", "PYTHONSTARTUP": "s"}
    wanted = {"PATH": "b", "API_TOKEN": "secret", "LD_PRELOAD": "y", "LANG": "de", "PYTHONBREAKPOINT": "0"}
    agent = interpreter_environment(ours, wanted)
    assert agent == {"PATH": "a", "PYTHONSTARTUP": "s", "LD_PRELOAD": "y", "LANG": "de"}
    assert needs_new_interpreter(agent, wanted) == []
