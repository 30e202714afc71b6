"""The echo kernel under jupyter_kernel_test, driven by jupyter_client: ``python _echo_conformance.py CLASS``.

Prints as JSON which tests were skipped and what those that failed said. One class a process: with a second
one, jupyter_client finds the context of the first closed.
"""

import json
import sys
import unittest
from typing import ClassVar

import jupyter_kernel_test


class EchoTests(jupyter_kernel_test.KernelTests):
    kernel_name = "echo"
    language_name = "echo"
    file_extension = ".echo"
    code_hello_world = "print hello, world"
    code_stderr = "warn of something"
    code_generate_error = "fail for a reason"
    code_execute_result: ClassVar = [
        {"code": "6 * 7", "result": "6 * 7"},
        {"code": "print this\nand that", "result": "and that"},
        {"code": "6 * 8", "result": "6 * 8"},
    ]
    code_display_data: ClassVar = [{"code": "show one text", "mime": "text/plain"}]
    code_clear_output = "print old\nclear\nprint new"
    completion_samples: ClassVar = [
        {"text": "s", "matches": {"sleep", "secret", "show"}},
        {"text": "print 1\npri", "matches": {"print"}},
        {"text": "x", "matches": set()},
    ]
    complete_code_samples: ClassVar = ["print this", "", "one\ntwo"]
    incomplete_code_samples: ClassVar = ["and then \\"]
    code_inspect_sample = "print"
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "6 [*] 7"


class EchoWelcomeTests(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "echo"
    support_iopub_welcome = True


if __name__ == "__main__":
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromName(f"__main__.{sys.argv[1]}").run(result)
    skipped = [test.id().rpartition(".")[2] for test, _ in result.skipped]
    failed = [text for _, text in (*result.errors, *result.failures)]
    print(json.dumps({"ran": result.testsRun, "skipped": skipped, "failed": failed}))  # noqa: T201
