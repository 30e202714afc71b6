"""Notebooks that were given a kernel by us, in the hands of other tools."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_kernel_mgmt import KernelTypeInfo, match_notebook, with_kernel

GUARD = 60
KNOWN = {
    "spec/python3": KernelTypeInfo(display_name="Python 3 (ipykernel)", language="python"),
    "pyimport/kernel": KernelTypeInfo(display_name="Python 3.11 (here)", language="python"),
    "environments/proj-1a2b3c4--python3": KernelTypeInfo(
        display_name="Python 3.11 (proj, ~/proj/.venv)", language="python", prefix=sys.prefix
    ),
}


@pytest.mark.parametrize("kernel_type", KNOWN)
def test_other_tools_run_it_and_ours_finds_its_kernel_again(kernel_type: str, directory: Path) -> None:
    """nbclient's `jupyter execute` does; what it writes is valid and still means exactly this kernel."""
    path = directory / "a.ipynb"
    noted = with_kernel({}, kernel_type, KNOWN[kernel_type], path=path)
    nbformat.write(new_notebook(cells=[new_code_cell("6 * 7")], metadata=noted), path)
    assert KernelSpecManager().get_kernel_spec(noted["kernelspec"]["name"]).language == "python"

    command = [sys.executable, "-m", "jupyter", "execute", "--inplace", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=GUARD)
    ran = nbformat.read(path, as_version=4)
    nbformat.validate(ran)
    assert ran.cells[0].outputs[0].data["text/plain"] == "42"
    for known_path in (path, None):
        assert match_notebook(ran.metadata, KNOWN, path=known_path)[0].kernel_type == kernel_type
