"""The program that starts ipykernel leaves the interpreter as ``-m ipykernel_launcher`` does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_kernel_mgmt.subproc.forkserver import Forkable, forkable
from jupyter_kernel_mgmt.subproc.ipykernel import START_IPYKERNEL

from ._agents import interpreter

pytest.importorskip("ipykernel")

LOOK = """
import gc, json, sys
import ipykernel.kernelapp
def look(*args, **kwargs):
    print(json.dumps([sys.path, sys.argv[1:], gc.isenabled(), gc.get_freeze_count() > 10_000]))
ipykernel.kernelapp.launch_new_instance = look
import runpy
sys.argv = sys.argv[1:]
"""
BY_PATH = (
    "import os; sys.path[0] = os.path.dirname(sys.argv[0]); runpy.run_path(sys.argv[0], run_name='__main__')"
)
BY_NAME = "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"


def state(how: str, what: str) -> list[object]:
    argv = [sys.executable, "-c", LOOK + how, what, "-f", "file"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found: list[object] = json.loads(done.stdout)
    return found


def test_path_arguments_and_garbage_collection_are_as_after_the_usual_start() -> None:
    """But that what was imported is no garbage to look for."""
    *ours, frozen = state(BY_PATH, START_IPYKERNEL)
    *usual, _ = state(BY_NAME, "ipykernel_launcher")
    assert ours == usual
    assert frozen


def test_it_can_be_forked_instead() -> None:
    argv = (sys.executable, START_IPYKERNEL, "-f", "file")
    assert forkable(argv, ()) == Forkable(sys.executable, ("-f", "file"))


KERNELAPP = """
import sys
class Context(object):
    def __init__(self): self.sockopts = {}
class IPKernelApp(object):
    def init_iopub(self, context): print("limit %s" % context.sockopts)
def launch_new_instance():
    context = Context()
    IPKernelApp().init_iopub(context)
    print("after %s, %s, %s" % (context.sockopts, sys.argv[1:], "ipykernel_launcher" in sys.argv[0]))
"""


@pytest.mark.parametrize("version", ["2.7", *(f"3.{minor}" for minor in range(5, 15))])
def test_any_python_that_may_have_a_kernel_runs_it(version: str, tmp_path: Path) -> None:
    """Kernelspecs name interpreters of any age; ipykernel and pyzmq are stood in for here."""
    python = interpreter(version)
    (tmp_path / "ipykernel").mkdir()
    (tmp_path / "ipykernel" / "__init__.py").write_text("")
    (tmp_path / "ipykernel" / "kernelapp.py").write_text(KERNELAPP)
    (tmp_path / "zmq.py").write_text("SNDHWM = 23\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    argv = [python, START_IPYKERNEL, "-f", "file"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert (done.stdout, done.stderr) == ("limit {23: 0}\nafter {}, ['-f', 'file'], True\n", "")
