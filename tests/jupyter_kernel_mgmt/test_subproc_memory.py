"""Whether the system killed a process for memory, read from what it counts."""

import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.subproc import memory
from jupyter_kernel_mgmt.subproc.memory import OutOfMemory

PID = 4321
EVENTS = "low 0\nhigh 3\nmax 7\noom {0}\noom_kill {0}\noom_group_kill 0\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"
STAT = "nr_free_pages 1\noom_kill {}\nswap_ra 0\n"


class System:
    """Control groups and /proc as they might be."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroups")
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    return System(tmp_path)


@pytest.mark.parametrize(
    ("groups", "counter", "text"),
    [
        ("0::/user/one\n", "cgroups/user/one/memory.events", EVENTS),
        ("9:cpu:/x\n4:cpuset,memory:/one\n0::/\n", "cgroups/memory/one/memory.oom_control", CONTROL),
        ("0::/not/to/be/read\n", "proc/vmstat", STAT),
        ("", "proc/vmstat", STAT),
    ],
    ids=["version 2", "version 1", "the system's", "no groups"],
)
@pytest.mark.parametrize("before", [0, 41])
def test_a_kill_is_seen_where_the_system_counts_it(
    groups: str, counter: str, text: str, before: int, system: System
) -> None:
    """However many there were before."""
    system.write(f"proc/{PID}/cgroup", groups)
    system.write("proc/vmstat", STAT.format(5))
    system.write(counter, text.format(before))
    look = OutOfMemory(PID)
    assert not look.happened()
    system.write(counter, text.format(before + 1))
    assert look.happened()


def test_kills_elsewhere_are_not_this_ones(system: System) -> None:
    """Where its own group can be read."""
    system.write(f"proc/{PID}/cgroup", "0::/one\n")
    system.write("cgroups/one/memory.events", EVENTS.format(0))
    system.write("proc/vmstat", STAT.format(0))
    look = OutOfMemory(PID)
    system.write("proc/vmstat", STAT.format(1))
    assert not look.happened()


@pytest.mark.parametrize("text", ["", "oom_kill\n", "oom_kill many\n", "no such line\n"])
def test_where_nothing_is_told_nothing_is_said(text: str, system: System) -> None:
    """A process that has ended, a system without the counters or with others."""
    assert not OutOfMemory(PID).happened()
    system.write(f"proc/{PID}/cgroup", "0::/one\n")
    system.write("cgroups/one/memory.events", text)
    assert not OutOfMemory(PID).happened()


def test_a_group_that_is_gone_says_nothing(system: System) -> None:
    """As when a container is removed with its kernel."""
    system.write(f"proc/{PID}/cgroup", "0::/one\n")
    system.write("cgroups/one/memory.events", EVENTS.format(0))
    look = OutOfMemory(PID)
    (system.root / "cgroups/one/memory.events").unlink()
    assert not look.happened()
