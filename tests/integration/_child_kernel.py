"""An ipykernel as a child process, started as providers do that know nothing of this package."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path


class ChildKernel:
    """Starts when it is made. Over ipc, since ports that are picked may be taken before they are used."""

    def __init__(self, cwd=None, arguments=()):
        self.directory = Path(tempfile.mkdtemp(prefix="k"))
        self.connection_info = {
            "transport": "ipc",
            "ip": str(self.directory / "s"),
            "key": uuid.uuid4().hex,
            "signature_scheme": "hmac-sha256",
            **{f"{name}_port": n for n, name in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)},
        }
        file = self.directory / "kernel.json"
        file.write_text(json.dumps(self.connection_info))
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", str(file), *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def signal(self, number):
        """Also to its children."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self):
        """And reap it."""
        self.process.kill()
        self.process.wait()

    def remove(self):
        """All files."""
        shutil.rmtree(self.directory, ignore_errors=True)
