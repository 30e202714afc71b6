"""Whether the system killed a process for memory, read from what it counts."""

import os
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
    ("groups", "counter", "text", "certain"),
    [
        ("0::/user/one\n", "cgroups/user/one/memory.events", EVENTS, True),
        ("9:cpu:/x\n4:cpuset,memory:/one\n0::/\n", "cgroups/memory/one/memory.oom_control", CONTROL, True),
        ("0::/not/to/be/read\n", "proc/vmstat", STAT, False),
        ("", "proc/vmstat", STAT, False),
    ],
    ids=["version 2", "version 1", "the system's", "no groups"],
)
@pytest.mark.parametrize("before", [0, 41])
def test_a_kill_is_seen_where_the_system_counts_it(
    groups: str, counter: str, text: str, certain: bool, before: int, system: System
) -> None:
    """However many there were before; of the whole system's it is told that it may be another's."""
    system.write(f"proc/{PID}/cgroup", groups)
    system.write("proc/vmstat", STAT.format(5))
    system.write(counter, text.format(before))
    look = OutOfMemory(PID)
    assert look.reason() is None
    system.write(counter, text.format(before + 1))
    reason = look.reason()
    assert reason is not None
    assert "the system killed it because memory ran out" in reason
    assert reason.startswith("perhaps") is not certain


def test_kills_elsewhere_are_not_this_ones(system: System) -> None:
    """Where its own group can be read."""
    system.write(f"proc/{PID}/cgroup", "0::/one\n")
    system.write("cgroups/one/memory.events", EVENTS.format(0))
    system.write("proc/vmstat", STAT.format(0))
    look = OutOfMemory(PID)
    system.write("proc/vmstat", STAT.format(1))
    assert look.reason() is None


@pytest.mark.parametrize("text", ["", "oom_kill\n", "oom_kill many\n", "no such line\n"])
def test_where_nothing_is_told_nothing_is_said(text: str, system: System) -> None:
    """A process that has ended, a system without the counters or with others."""
    assert OutOfMemory(PID).reason() is None
    system.write(f"proc/{PID}/cgroup", "0::/one\n")
    system.write("cgroups/one/memory.events", text)
    assert OutOfMemory(PID).reason() is None


def test_a_group_that_is_gone_says_nothing(system: System) -> None:
    """As when a container is removed with its kernel."""
    system.write(f"proc/{PID}/cgroup", "0::/one\n")
    system.write("cgroups/one/memory.events", EVENTS.format(0))
    look = OutOfMemory(PID)
    (system.root / "cgroups/one/memory.events").unlink()
    assert look.reason() is None


def test_a_kill_of_long_ago_was_another_ones(system: System) -> None:
    """One that was seen twice; the exit of which it tells is heard of in between at the latest."""
    system.write("proc/vmstat", STAT.format(1))
    look = OutOfMemory(PID)
    assert look.is_known
    system.write("proc/vmstat", STAT.format(2))
    look.look()
    assert look.reason() is not None
    look.look()
    assert look.reason() is None
    system.write("proc/vmstat", STAT.format(3))
    assert look.reason() is not None


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_group_may_have_any_name(system: System) -> None:
    """Also one that is no UTF-8."""
    name = os.fsdecode(b"one\xff")
    system.write(f"proc/{PID}/cgroup", "")
    (system.root / f"proc/{PID}/cgroup").write_bytes(b"0::/one\xff\n")
    system.write(f"cgroups/{name}/memory.events", EVENTS.format(0))
    system.write("proc/vmstat", STAT.format(0))
    look = OutOfMemory(PID)
    system.write(f"cgroups/{name}/memory.events", EVENTS.format(1))
    assert look.reason() == "the system killed it because memory ran out"
