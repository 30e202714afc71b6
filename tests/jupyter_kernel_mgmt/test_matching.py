"""Which kernel a notebook gets: what a person would choose, with the reason in words."""

import hashlib
import random
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_kernel_mgmt import KernelTypeInfo
from jupyter_kernel_mgmt.matching import Level, best, match_notebook, with_kernel

HOME = "/home/mia"
PROJECT = f"{HOME}/work/proj"
NOTEBOOK = Path(f"{PROJECT}/analysis.ipynb")
DEEP = Path(f"{PROJECT}/notebooks/2024/analysis.ipynb")
NO_IPYKERNEL = "ipykernel is missing there; to get it: uv pip install ipykernel"

Known = dict[str, KernelTypeInfo]


def info(
    language: str = "python",
    version: str = "",
    prefix: str = "",
    title: str = "",
    obstacle: str = "",
    **more: Any,
) -> KernelTypeInfo:
    return KernelTypeInfo(
        display_name=title or f"{language} {version}".strip(),
        language=language,
        language_version=version,
        prefix=prefix,
        obstacle=obstacle,
        **more,
    )


def environment(
    name: str, prefix: str, version: str = "3.11.7", obstacle: str = "", kernel: str = "python3"
) -> Known:
    language = {"ir": "R"}.get(kernel, "python")
    title = f"{language.title()} {version} ({name}, {prefix.rpartition('/')[2]})"
    return {f"environments/{name}--{kernel}": info(language, version, prefix, title, obstacle)}


PYTHON3: Known = {
    "spec/python3": info(title="Python 3 (ipykernel)", argv=("python", "-m", "ipykernel_launcher"))
}
HERE: Known = {"pyimport/kernel": info(title="Python 3.12 (here)")}
IR: Known = {"spec/ir": info("R", title="R")}
JULIA: Known = {
    "spec/julia-1.9": info("julia", title="Julia 1.9.4"),
    "spec/julia-1.10": info("julia", title="Julia 1.10.2"),
}
BASH: Known = {"spec/bash": info("bash", title="Bash")}
GPU: Known = {
    "spec/tensorflow-gpu": info(title="TensorFlow (GPU)", argv=("/opt/tf/bin/python", "-m", "ipykernel"))
}
JUPYTER = PYTHON3 | HERE | IR | JULIA | BASH | GPU
VENV = environment("proj", f"{PROJECT}/.venv")
OTHER_PROJECT = environment("other", f"{HOME}/work/other/.venv")
ML = environment("ml", f"{HOME}/miniconda3/envs/ml", "3.10.4")
BASE = environment("base", f"{HOME}/miniconda3", "3.11.5")
POETRY = f"{HOME}/.cache/pypoetry/virtualenvs/proj-2HqkPbTS-py3.11"
"""Poetry and pipenv name environments so for the project."""
PIPENV = f"{HOME}/.local/share/virtualenvs/proj-GgXy0ZzT"


def asks(
    name: str = "", language: str = "", version: str = "", title: str = "", **more: Any
) -> dict[str, Any]:
    """Metadata as Jupyter writes it; without what is empty."""
    metadata: dict[str, Any] = dict(more)
    if name or title:
        metadata["kernelspec"] = {"name": name, "display_name": title or name}
        if language:
            metadata["kernelspec"]["language"] = language
    if version or (language and not name):
        metadata["language_info"] = {"name": language or "python", "version": version}
    return metadata


def vs_code(path: str, title: str = "Python 3", version: str = "3.11.7") -> dict[str, Any]:
    digest = hashlib.sha256(path.encode()).hexdigest()
    return asks("python3", "python", version, title, vscode={"interpreter": {"hash": digest}})


def given_by_us(
    known: Known, kernel_type: str, path: Path | None = NOTEBOOK, **changes: Any
) -> dict[str, Any]:
    return with_kernel({}, kernel_type, known[kernel_type], path=path) | changes


class Case(NamedTuple):
    """``chosen`` is the first match, None if nothing fits; ``clear``: whether it is taken unasked."""

    metadata: Any
    known: Known
    chosen: str | None
    reason: str
    path: PurePath | None = NOTEBOOK
    clear: bool = True


PY311 = asks("python3", "python", "3.11.2", "Python 3 (ipykernel)")

CASES = {
    # What JupyterLab writes.
    "JupyterLab's python3, nothing near": Case(
        PY311, JUPYTER | ML | OTHER_PROJECT, "spec/python3", "the name 'python3' that the notebook gives"
    ),
    "the project's .venv is better than the name python3": Case(
        PY311,
        JUPYTER | VENV | ML,
        "environments/proj--python3",
        f"own environment, {PROJECT}/.venv, beside the notebook",
    ),
    "a notebook some directories below the .venv": Case(
        PY311, JUPYTER | VENV, "environments/proj--python3", f"of {PROJECT}, in which the notebook is", DEEP
    ),
    "without a path nothing is near": Case(PY311, JUPYTER | VENV, "spec/python3", "the name 'python3'", None),
    "the nearest of two .venv": Case(
        PY311,
        JUPYTER | VENV | environment("top", f"{HOME}/work/.venv"),
        "environments/proj--python3",
        "beside the notebook",
    ),
    "python3 without a kernelspec is the Python here": Case(
        PY311, HERE | ML, "pyimport/kernel", "no kernelspec has the name 'python3' that the notebook gives"
    ),
    "a kernel chosen by its own name stays, even beside a .venv": Case(
        asks("tensorflow-gpu", "python", "3.11.1"),
        JUPYTER | VENV,
        "spec/tensorflow-gpu",
        "the name 'tensorflow-gpu'",
    ),
    "names are the same in any case": Case(
        asks("TensorFlow-GPU", "python"), JUPYTER, "spec/tensorflow-gpu", "that the notebook gives"
    ),
    "R beside a .venv of Python": Case(
        asks("ir", "R", "4.3.1", "R"), JUPYTER | VENV, "spec/ir", "the name 'ir'"
    ),
    "R in the project's own environment": Case(
        asks("ir", "R", "4.3.1", "R"),
        JUPYTER | environment("proj", f"{PROJECT}/.conda", "4.3.2", kernel="ir"),
        "environments/proj--ir",
        "it runs in the project's own environment",
    ),
    "Julia of just that version": Case(
        asks("julia-1.9", "julia", "1.9.2"), JUPYTER, "spec/julia-1.9", "'julia-1.9'"
    ),
    "a Julia that is gone: the next newer one": Case(
        asks("julia-1.8", "julia", "1.8.5"),
        JUPYTER,
        "spec/julia-1.9",
        "in another version: 1.9 instead of 1.8",
    ),
    "a Julia of before 1.0 runs nothing of today": Case(
        asks("julia-0.6", "julia", "0.6.4"),
        JUPYTER,
        "spec/julia-1.10",
        "cannot be expected to run",
        clear=False,
    ),
    "kernelspec.language is missing": Case(asks("ir"), JUPYTER, "spec/ir", "the name 'ir'"),
    "only the name tells the language of a kernel that is gone": Case(
        asks("julia-1.7"), JUPYTER, "spec/julia-1.9", "1.9 instead of 1.7"
    ),
    "languages are the same in any case": Case(asks("gone", "r"), JUPYTER, "spec/ir", "the same language, R"),
    "C++ by any of its standards": Case(
        asks("xcpp11", "C++11"), JUPYTER | {"spec/xcpp17": info("C++17")}, "spec/xcpp17", "the same language"
    ),
    "a name in the wrong language": Case(
        asks("default", "R"),
        {"spec/default": info("python")},
        "spec/default",
        "it is for Python and the",
        clear=False,
    ),
    "a name whose language is called otherwise": Case(
        asks("sagemath", "python"), {"spec/sagemath": info("sage")}, "spec/sagemath", "the name 'sagemath'"
    ),
    # Other projects and versions.
    "the only Python is another project's": Case(
        asks("gone", "python", "3.11.2"),
        OTHER_PROJECT | IR,
        "environments/other--python3",
        "is another project's: ",
        clear=False,
    ),
    "the usual Python goes before another project's of the same version": Case(
        asks("", "python", "3.11.2"), PYTHON3 | OTHER_PROJECT, "spec/python3", "the same language, Python"
    ),
    "kernelspecs of the .venv that Jupyter itself runs in are for all notebooks": Case(
        {},
        {
            f"spec/{name}": KernelTypeInfo(display_name=name, language="python", prefix=prefix)
            for name, prefix in (("old", "/opt/old"), ("python3", f"{HOME}/jupyter/.venv"))
        },
        "spec/python3",
        "taken for Python",
    ),
    "two kernels of the project's environment": Case(
        {},
        VENV | environment("proj", f"{PROJECT}/.venv", kernel="xpython"),
        "environments/proj--python3",
        "beside",
    ),
    "the other kernel of the project's environment": Case(
        asks("xpython", "python"),
        VENV | environment("proj", f"{PROJECT}/.venv", kernel="xpython"),
        "environments/proj--xpython",
        "the name 'xpython'",
    ),
    "a shared environment goes before another project's": Case(
        asks("gone", "python", "3.10.1"),
        OTHER_PROJECT | ML,
        "environments/ml--python3",
        "the same language and version, Python 3.10",
    ),
    "the same version, by the environment's": Case(
        asks("gone", "python", "3.10.1"),
        ML | BASE,
        "environments/ml--python3",
        "the same language and version, Python 3.10",
    ),
    "another version, and the only one": Case(
        asks("gone", "python", "3.11.0"),
        environment("old", "/opt/old", "3.9.1"),
        "environments/old--python3",
        "the same language, Python, in another version: 3.9 instead of 3.11",
    ),
    "rather a newer version than an older one": Case(
        asks("gone", "python", "3.10.0"),
        environment("a", "/opt/a", "3.9.1") | environment("b", "/opt/b", "3.12.1"),
        "environments/b--python3",
        "3.12 instead of 3.10",
    ),
    "the .venv has another version, and is the project's all the same": Case(
        asks("python3", "python", "3.9.1"),
        JUPYTER | VENV,
        "environments/proj--python3",
        "3.11 instead of 3.9",
    ),
    "Python 2 is not run by Python 3": Case(
        asks("python2", "python", "2.7.18"),
        ML,
        "environments/ml--python3",
        "was written for Python 2.7.18",
        clear=False,
    ),
    "Python 2 where there is one": Case(
        asks("python2", "python", "2.7.18"),
        JUPYTER | {"spec/python2": info(title="Python 2")},
        "spec/python2",
        "the name 'python2'",
    ),
    "two that nothing tells apart": Case(
        asks("gone", "python", "3.10.1"),
        ML | environment("dl", f"{HOME}/miniconda3/envs/dl", "3.10.9"),
        "environments/dl--python3",
        "environments/ml--python3 would fit equally well: it is the first by name, and nothing else",
        clear=False,
    ),
    "two kernelspecs of the language, and neither is the one": Case(
        asks("gone", "python"),
        {"spec/a": info(), "spec/b": info()},
        "spec/a",
        "spec/b would fit equally well",
        clear=False,
    ),
    "a kernel that is gone, and two of its language: the usual one is the first to ask for": Case(
        asks("gone", "python"),
        JUPYTER,
        "spec/python3",
        "spec/tensorflow-gpu would fit equally well: it is the usual kernel of its language",
        clear=False,
    ),
    "the display name where the name is another": Case(
        asks("tf-2", title="TensorFlow (GPU)"),
        JUPYTER,
        "spec/tensorflow-gpu",
        "the display name 'TensorFlow (GPU)'",
    ),
    "a number that tells only the major version": Case(
        asks("gone", "python", title="Python 3"), PYTHON3, "spec/python3", "the same language, Python"
    ),
    # Other forms of environments.
    "a venv without the dot": Case(
        PY311,
        JUPYTER | environment("proj", f"{PROJECT}/venv"),
        "environments/proj--python3",
        f"{PROJECT}/venv, beside",
    ),
    ".venv goes before env": Case(
        PY311, VENV | environment("x", f"{PROJECT}/env"), "environments/proj--python3", f"{PROJECT}/.venv"
    ),
    "several versions side by side": Case(
        asks("python3", "python", "3.12.1"),
        environment("x", f"{PROJECT}/.venv-3.11", "3.11.2")
        | environment("y", f"{PROJECT}/.venv-3.12", "3.12.2"),
        "environments/y--python3",
        ".venv-3.12",
    ),
    "pixi's default environment": Case(
        PY311,
        JUPYTER
        | environment("default", f"{PROJECT}/.pixi/envs/default")
        | environment("test", f"{PROJECT}/.pixi/envs/test"),
        "environments/default--python3",
        ".pixi/envs/default, beside the notebook",
    ),
    "pixi's environments without a default": Case(
        PY311,
        JUPYTER
        | environment("cpu", f"{PROJECT}/.pixi/envs/cpu")
        | environment("gpu", f"{PROJECT}/.pixi/envs/gpu"),
        "environments/cpu--python3",
        "environments/gpu--python3 would fit equally well",
        clear=False,
    ),
    "poetry keeps it elsewhere, with the project's hash": Case(
        PY311,
        JUPYTER | environment("proj-py3.11", POETRY),
        "environments/proj-py3.11--python3",
        "it runs in the project's own environment",
        DEEP,
    ),
    "pipenv keeps it elsewhere, with the Pipfile's hash": Case(
        PY311, JUPYTER | environment("proj", PIPENV), "environments/proj--python3", "own environment"
    ),
    "poetry's environment of another project": Case(
        PY311,
        JUPYTER | environment("proj", POETRY),
        "spec/python3",
        "'python3'",
        Path(f"{HOME}/work/x/a.ipynb"),
    ),
    "conda's environment within the project, of any name": Case(
        PY311,
        JUPYTER | environment("py", f"{PROJECT}/py-env"),
        "environments/py--python3",
        "beside the notebook",
    ),
    "miniconda in the home directory is no project's": Case(
        PY311, JUPYTER | BASE, "spec/python3", "'python3'", Path(f"{HOME}/analysis.ipynb")
    ),
    "a kernelspec that starts the project's interpreter": Case(
        PY311,
        JUPYTER | {"spec/proj": info(title="proj", argv=(f"{PROJECT}/.venv/bin/python", "-m", "ipykernel"))},
        "spec/proj",
        "it runs in the project's own environment",
    ),
    "one environment through two providers": Case(
        PY311,
        JUPYTER | VENV | {"pyimport/kernel": info(argv=(f"{PROJECT}/.venv/bin/python",))},
        "environments/proj--python3",
        "beside the notebook",
    ),
    "Windows": Case(
        PY311,
        PYTHON3 | {"environments/proj--python3": info(prefix=r"C:\Users\Mia\proj\.venv")},
        "environments/proj--python3",
        r"C:\Users\Mia\proj\.venv, beside the notebook",
        PureWindowsPath(r"c:\users\mia\Proj\a.ipynb"),
    ),
    # What VS Code writes.
    "VS Code's .venv": Case(
        asks("python3", "python", "3.11.7", ".venv"),
        JUPYTER | VENV | OTHER_PROJECT,
        "environments/proj--python3",
        "beside",
    ),
    "VS Code's .venv, and there is none here": Case(
        asks("python3", "python", "3.11.7", ".venv (3.11.7)"),
        JUPYTER | OTHER_PROJECT,
        "spec/python3",
        "'python3'",
    ),
    "VS Code's hash of the interpreter": Case(
        vs_code(f"{HOME}/miniconda3/envs/ml/bin/python"),
        JUPYTER | ML | VENV,
        "environments/ml--python3",
        "the environment that the notebook was last run in",
    ),
    "VS Code's hash of an interpreter of every Linux": Case(
        vs_code("/usr/bin/python3"),
        JUPYTER | VENV | environment("usr", "/usr"),
        "environments/proj--python3",
        "the project's own environment",
    ),
    "VS Code's hash of an interpreter of another machine": Case(
        vs_code("/Users/tom/.venv/bin/python"), JUPYTER | ML, "spec/python3", "'python3'"
    ),
    "VS Code's generated name with a hash": Case(
        asks(
            "python3104jvsc74a57bd0"
            + hashlib.sha256(f"{HOME}/miniconda3/envs/ml/bin/python".encode()).hexdigest()
        ),
        JUPYTER | ML,
        "environments/ml--python3",
        "last run in",
    ),
    "VS Code's generated name alone": Case(
        asks("python37864bit", "", "3.7.8"), JUPYTER, "spec/python3", "the same language, Python"
    ),
    "VS Code's conda environment by name": Case(
        asks("python3", "python", "3.10.4", "Python 3.10.4 ('ml': conda)"),
        JUPYTER | ML,
        "environments/ml--python3",
        "'ml'",
    ),
    "VS Code's environment by its bare name": Case(
        asks("python3", "python", "3.10.4", "ml"),
        JUPYTER | VENV | ML,
        "environments/ml--python3",
        "has the name 'ml'",
    ),
    "everybody's base says no more than python3": Case(
        asks("python3", "python", "3.11.5", "base"),
        JUPYTER | BASE | VENV,
        "environments/proj--python3",
        "project's own",
    ),
    "base where no kernelspec has the name": Case(
        asks("python3", "python", "3.10.4", "base"),
        ML | BASE,
        "environments/base--python3",
        "last run in conda's base environment, and this is one, in another version: 3.11 instead of 3.10",
    ),
    "VS Code's hash on Windows": Case(
        vs_code("/c:/users/mia/miniconda3/envs/ml/python.exe"),
        PYTHON3 | {"environments/ml--python3": info(prefix=r"C:\Users\Mia\miniconda3\envs\ml")},
        "environments/ml--python3",
        "last run in",
        PureWindowsPath(r"C:\Users\Mia\a.ipynb"),
    ),
    # Other tools.
    "nb_conda_kernels": Case(
        asks("conda-env-ml-py", "python", "3.10.1", "Python [conda env:ml]"),
        JUPYTER | ML,
        "environments/ml--python3",
        "'ml'",
    ),
    "Colab": Case(
        asks(
            "python3",
            "",
            "",
            "Python 3",
            accelerator="GPU",
            colab={"provenance": []},
            language_info={"name": "python"},
        ),
        JUPYTER | VENV,
        "spec/python3",
        "the name 'python3'",
        Path(f"{HOME}/Downloads/colab.ipynb"),
    ),
    "papermill's output": Case(
        PY311 | {"papermill": {"parameters": {"n": 1}, "environment_variables": {}, "version": "2.6.0"}},
        JUPYTER,
        "spec/python3",
        "'python3'",
    ),
    "Databricks": Case(
        {"application/vnd.databricks.v1+notebook": {"language": "python", "notebookName": "etl"}},
        JUPYTER,
        "spec/python3",
        "the same language, Python",
    ),
    "nteract's kernel_info": Case({"kernel_info": {"name": "ir"}}, JUPYTER, "spec/ir", "the name 'ir'"),
    "SageMaker's name for an image": Case(
        asks("python3__SAGEMAKER_INTERNAL__arn:aws:sagemaker:image/datascience"),
        PYTHON3 | IR,
        "spec/python3",
        "Python",
    ),
    "a name of elsewhere, without a language": Case(asks("acme-cluster"), JUPYTER, None, ""),
    "a name of elsewhere, beside the project's .venv": Case(
        asks("acme-cluster"), JUPYTER | VENV, "environments/proj--python3", "own environment"
    ),
    "a language that nothing here speaks": Case(asks("gone", "cobol"), JUPYTER | VENV, None, ""),
    # Little or nothing is told.
    "no metadata at all": Case(
        {}, JUPYTER, "spec/python3", "neither kernel nor language, and is taken for Python"
    ),
    "no metadata, beside a .venv": Case({}, JUPYTER | VENV, "environments/proj--python3", "own environment"),
    "JupyterLab's no kernel": Case(
        {"kernelspec": {"name": "", "display_name": ""}}, JUPYTER, "spec/python3", "is taken for Python"
    ),
    "the language alone": Case(asks("", "R"), JUPYTER, "spec/ir", "the same language, R"),
    "metadata of the wrong shape": Case(
        {"kernelspec": ["python3"], "language_info": "R", "vscode": 3},
        JUPYTER,
        "spec/python3",
        "taken for Python",
    ),
    "metadata that is none": Case(["what?"], JUPYTER, "spec/python3", "taken for Python"),
    "nothing is installed": Case(PY311, {}, None, ""),
    # What cannot be launched.
    "the .venv lacks ipykernel": Case(
        PY311,
        JUPYTER | environment("proj", f"{PROJECT}/.venv", obstacle=NO_IPYKERNEL),
        "spec/python3",
        "environments/proj--python3 would be better: it runs in the project's own environment, ",
    ),
    "all there is cannot be launched": Case(
        PY311,
        environment("proj", f"{PROJECT}/.venv", obstacle=NO_IPYKERNEL),
        "environments/proj--python3",
        f"but it cannot be launched: {NO_IPYKERNEL}",
        clear=False,
    ),
    "the very kernel that it was given cannot be launched": Case(
        given_by_us(VENV, "environments/proj--python3"),
        JUPYTER | environment("proj", f"{PROJECT}/.venv", obstacle=NO_IPYKERNEL),
        "spec/python3",
        "environments/proj--python3 is the one that the notebook asks for",
        clear=False,
    ),
    # What we write.
    "given by us": Case(
        given_by_us(ML, "environments/ml--python3"),
        JUPYTER | ML | VENV,
        "environments/ml--python3",
        "exactly this kernel",
    ),
    "python3 given by us beside a .venv": Case(
        given_by_us(JUPYTER, "spec/python3"), JUPYTER | VENV, "spec/python3", "exactly this kernel"
    ),
    "given by us, then saved by JupyterLab under its own title": Case(
        given_by_us(
            ML,
            "environments/ml--python3",
            kernelspec={"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
        ),
        JUPYTER | ML,
        "environments/ml--python3",
        "exactly this kernel",
    ),
    "given by us, then another kernel was chosen in JupyterLab": Case(
        given_by_us(
            ML, "environments/ml--python3", kernelspec={"name": "ir", "display_name": "R", "language": "R"}
        ),
        JUPYTER | ML,
        "spec/ir",
        "the name 'ir'",
    ),
    "given by us, and the project was cloned elsewhere": Case(
        given_by_us(VENV, "environments/proj--python3", DEEP),
        JUPYTER | environment("proj-1a2b3c4", "/srv/clone/.venv") | VENV,
        "environments/proj-1a2b3c4--python3",
        "the environment that the notebook was last run in, /srv/clone/.venv",
        Path("/srv/clone/notebooks/2024/analysis.ipynb"),
    ),
    "given by us, on another machine with an environment of that name": Case(
        given_by_us(ML, "environments/ml--python3"),
        JUPYTER | environment("ml", "/opt/conda/envs/ml"),
        "environments/ml--python3",
        "the name of the kernel that the notebook was last given, in another place",
    ),
    "a kernel type for a name": Case(
        asks("pyimport/kernel"), JUPYTER, "pyimport/kernel", "names exactly this kernel"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=[*CASES])
def test_a_notebook_gets_what_a_person_would_choose(case: Case) -> None:
    """The first of the matches, with a reason, and a word on whether to ask."""
    matches = match_notebook(case.metadata, case.known, path=case.path)  # type: ignore[arg-type]
    found = best(matches)
    if case.chosen is None:
        assert (matches, found) == ([], None)
        return
    assert found is not None
    assert found.match.kernel_type == case.chosen, [(match.kernel_type, match.reason) for match in matches]
    assert case.reason in found.reason
    assert found.clear is case.clear, found.reason
    assert found.match == matches[0]


def test_each_candidate_has_its_reason() -> None:
    """Best first, of the notebook's language only; what cannot be launched is last, and says what to do."""
    known = (
        JUPYTER | VENV | ML | OTHER_PROJECT | environment("bare", f"{PROJECT}/venv", obstacle=NO_IPYKERNEL)
    )
    assert [
        (match.kernel_type, match.level, match.launchable)
        for match in match_notebook(PY311, known, path=NOTEBOOK)
    ] == [
        ("environments/proj--python3", Level.PROJECT, True),
        ("spec/python3", Level.USUAL_NAME, True),
        ("spec/tensorflow-gpu", Level.LANGUAGE, True),
        ("pyimport/kernel", Level.LANGUAGE, True),
        ("environments/ml--python3", Level.LANGUAGE, True),
        ("environments/other--python3", Level.ELSEWHERE, True),
        ("environments/bare--python3", Level.PROJECT, False),
    ]
    reasons = [match.reason for match in match_notebook(PY311, known, path=NOTEBOOK)]
    assert all(reasons)
    assert reasons[-1].endswith(NO_IPYKERNEL)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WORDS = (
    st.sampled_from(
        [
            "python3",
            "ir",
            "julia-1.9",
            "spec/ir",
            "3.11.7",
            "3",
            "R",
            "Python",
            "ml",
            "../.venv",
            "/x",
            "Python [conda env:ml]",
        ]
    )
    | st.text()
    | JSON
)
PARTS = st.dictionaries(
    st.sampled_from(
        [
            "name",
            "display_name",
            "language",
            "version",
            "kernel_type",
            "kernelspec_name",
            "prefix",
            "prefix_sha256",
        ]
    ),
    WORDS,
)
METADATA = JSON | st.dictionaries(
    st.sampled_from(
        ["kernelspec", "language_info", "kernel_info", "vscode", "interpreter", "jupyter_kernel_mgmt"]
    ),
    PARTS | st.dictionaries(st.just("interpreter"), st.dictionaries(st.just("hash"), WORDS)) | JSON,
)
ALL = (
    JUPYTER | VENV | ML | BASE | OTHER_PROJECT | environment("bare", f"{PROJECT}/venv", obstacle=NO_IPYKERNEL)
)


@given(
    METADATA,
    st.sampled_from([None, NOTEBOOK, DEEP, Path("relative.ipynb")]),
    st.randoms(use_true_random=False),
)
def test_any_metadata_gives_the_same_in_any_order(
    metadata: Any, path: Path | None, chance: random.Random
) -> None:
    """It never raises, and what is found first changes nothing."""
    matches = match_notebook(metadata, ALL, path=path)
    shuffled = [*ALL.items()]
    chance.shuffle(shuffled)
    assert match_notebook(metadata, dict(shuffled), path=path) == matches
    assert [match.rank for match in matches] == sorted(match.rank for match in matches)
    assert all(match.reason for match in matches)
    best(matches)


@given(
    METADATA.filter(lambda metadata: isinstance(metadata, dict)),
    st.sampled_from([*ALL]),
    st.booleans(),
    st.booleans(),
)
def test_what_is_written_back_makes_the_next_match_exact(
    metadata: Any, kernel_type: str, near: bool, later: bool
) -> None:
    """Whatever was there before, and whether the notebook's path is known when writing or when matching."""
    noted = with_kernel(metadata, kernel_type, ALL[kernel_type], path=NOTEBOOK if near else None)
    matches = match_notebook(noted, ALL, path=NOTEBOOK if later else None)
    found = next(match for match in matches if match.level is Level.EXACT)
    assert found.kernel_type == kernel_type
    assert found is matches[0] or not found.launchable


@pytest.mark.parametrize(
    ("title", "chosen"),
    [
        ("ml (3.11.4)", "environments/ml--python3"),
        ("gone (3.11.4)", "environments/proj--python3"),
        ("Python 3 (ipykernel)", "environments/proj--python3"),
        ("Python 3.11 (.venv)", "environments/proj--python3"),
    ],
)
def test_who_chooses_another_environment_by_its_display_name_ends_the_record(title: str, chosen: str) -> None:
    """As VS Code does, which calls all kernels python3; Jupyter's own display name is no choice."""
    known = {
        f"environments/{name}--python3": KernelTypeInfo(
            display_name=f"Python 3.11 ({name})", language="python", prefix=prefix
        )
        for name, prefix in {"proj": f"{HOME}/proj/.venv", "ml": "/opt/conda/envs/ml"}.items()
    }
    path = Path(f"{HOME}/proj/a.ipynb")
    recorded = "environments/proj--python3"
    metadata = with_kernel({}, recorded, known[recorded], path=path)
    metadata["kernelspec"]["display_name"] = title
    assert match_notebook(metadata, known, path=path)[0].kernel_type == chosen
