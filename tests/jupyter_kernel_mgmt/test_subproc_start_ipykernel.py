"""The program that starts ipykernel leaves the interpreter as ``-m ipykernel_launcher`` does."""

import json
import subprocess
import sys

import pytest

from jupyter_kernel_mgmt.subproc.forkserver import Forkable, forkable
from jupyter_kernel_mgmt.subproc.ipykernel import START_IPYKERNEL

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
