"""Notebooks that show all that a kernel can make of a cell, built in code so that no large files lie about.

Each is run by nbclient and by this package, and what comes of it is compared. What they do must not depend
on time or chance, except where the normalisation names it (`_normalise`).
"""

from dataclasses import dataclass, field
from typing import Any, Literal

Cell = dict[str, Any]
Status = Literal["error", "timeout", "died"]

OLD = "from an earlier run"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A notebook, the options it is run with, and which of its cells is to fail, if one is.

    ``kernel`` is the name in the notebook's kernelspec; empty: it has none. ``wants`` are Python modules
    that it cannot do without. ``fails`` is the index of a cell and how it fails.
    """

    name: str
    about: str
    cells: list[Cell]
    kernel: str = "python3"
    wants: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    version: tuple[int, int] = (4, 5)
    timeout: int | None = None  # seconds; nbclient takes whole ones only
    allow_errors: bool = False
    fails: tuple[int, Status] | None = None

    def __str__(self) -> str:
        return self.name

    def notebook(self) -> dict[str, Any]:
        """The notebook as JSON has it, anew for each call."""
        metadata = dict(self.metadata)
        if self.kernel:
            metadata["kernelspec"] = {"name": self.kernel, "display_name": self.kernel}
        major, minor = self.version
        if major == 3:
            cells = [_as_v3(cell) for cell in self.cells]
            sheets = [{"cells": cells, "metadata": {}}]
            return {"metadata": metadata, "nbformat": 3, "nbformat_minor": minor, "worksheets": sheets}
        cells = [dict(cell) for cell in self.cells]
        if minor >= 5:
            cells = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)]
        return {"cells": cells, "metadata": metadata, "nbformat": major, "nbformat_minor": minor}


def code(source: str, *tags: str, outputs: tuple[Cell, ...] = (), **metadata: Any) -> Cell:
    """A code cell; ``outputs`` are those of an earlier run, with the execution count that it had then."""
    if tags:
        metadata["tags"] = list(tags)
    return {
        "cell_type": "code",
        "execution_count": 77 if outputs else None,
        "metadata": metadata,
        "outputs": list(outputs),
        "source": source.strip("\n"),
    }


def text(source: str, **more: Any) -> Cell:
    """A Markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def raw(source: str) -> Cell:
    """A raw cell."""
    return {"cell_type": "raw", "metadata": {"format": "text/restructuredtext"}, "source": source}


def said(what: str) -> Cell:
    """Output on stdout."""
    return {"output_type": "stream", "name": "stdout", "text": what}


def _as_v3(cell: Cell) -> Cell:
    if cell["cell_type"] != "code":
        return cell
    old = {"collapsed": False, "language": "python", "prompt_number": 5}
    return {"cell_type": "code", "input": cell["source"], "metadata": {}, "outputs": [], **old}


LATE_IN_THREAD = """
import threading
go = threading.Event()
def late():
    go.wait()
    print('late', flush=True)
thread = threading.Thread(target=late)
thread.start()
print('started')
"""

LATE_IN_TASK = """
import asyncio
go = asyncio.Event()
async def late():
    await go.wait()
    print('late', flush=True)
    return 'result'
task = asyncio.create_task(late())
print('started')
"""

PICTURE = """
import struct, zlib
from IPython.display import Image, SVG, display

def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

rows = b''.join(b'\\0' + bytes((x * y) % 256 for x in range(16 * 3)) for y in range(16))
png = b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 16, 16, 8, 2, 0, 0, 0))
png += chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')
"""

RICH = """
class Rich:
    def _repr_html_(self):
        return '<b>rich</b>'
    def _repr_latex_(self):
        return '$x^2$', {'source': 'rich'}
    def _repr_json_(self):
        return {'a': [1, None, 'é']}
    def __repr__(self):
        return 'Rich()'
"""

NESTED_ERROR = """
def inner():
    raise ValueError('inner')

def outer():
    try:
        inner()
    except ValueError as error:
        raise RuntimeError('outer') from error

try:
    outer()
except RuntimeError:
    {}['missing']
"""

PROGRESS = """
from IPython.display import clear_output
for n in range(50):
    clear_output(wait=True)
    print(f'{n + 1}/50', flush=True)
"""

IN_PYTHON = [
    Example(
        name="plain",
        about="results, prints, and an execution count for each",
        cells=[
            code("1 + 1"),
            code("print('a')\nprint('b')\n'result'"),
            code("kept = [1, 2]\nkept"),
            code("kept.append(3)\nlen(kept), _1, Out[3]"),
            code("import sys\nsys.stdout.write('no end of line')"),
        ],
    ),
    Example(
        name="no_result",
        about="None, a semicolon at the end and an assignment show nothing",
        cells=[code("None"), code("42;"), code("x = 1"), code("'shown'"), code("# a comment alone")],
    ),
    Example(
        name="two_streams",
        about="stdout and stderr in turn, flushed so that their order is known",
        cells=[
            code("""
import sys
for n in range(5):
    print('out', n, flush=True)
    print('err', n, file=sys.stderr, flush=True)
"""),
            code("print('one', end='')\nprint('', flush=True)\nprint('a\\rb\\x08c', flush=True)"),
        ],
    ),
    Example(
        name="unicode",
        about="text beyond ASCII, in the source, in output and in names",
        cells=[
            code("print('naïve café 北京 🎉 👩\u200d👩\u200d👧 \\x00 \\u2028')"),
            code("größe = '🦄' * 3\ngröße"),
            code("raise ValueError('schließt nicht: ☃')", "raises-exception"),
        ],
    ),
    Example(
        name="lone_surrogates",
        about="text that UTF-8 cannot hold, on stdout, as a result and in an error",
        cells=[
            code("print('before \\udc80 after')", "raises-exception"),
            code("'\\udcff'", "raises-exception"),
            code("raise ValueError('\\udc80')", "raises-exception"),
            code("print('goes on')"),
        ],
    ),
    Example(
        name="error_stops",
        about="nothing is run after an error",
        cells=[code("x = 1"), code("print('before')\nx / 0"), code("print('never')")],
        fails=(1, "error"),
    ),
    Example(
        name="stale_outputs",
        about="after an error the cells behind it were not run, though they hold outputs of an earlier run",
        cells=[
            code("print('new')", outputs=(said(OLD),)),
            code("1 / 0", outputs=(said(OLD),)),
            code("print('never')", outputs=(said(OLD),)),
        ],
        fails=(1, "error"),
    ),
    Example(
        name="allow_errors",
        about="the option lets the run go on, the state stays",
        cells=[
            code("1 / 0"),
            code("import nothing_of_that_name"),
            code("print('goes on')"),
            code("syntax error"),
        ],
        allow_errors=True,
    ),
    Example(
        name="raises_exception",
        about="the tag lets one cell fail, and does not mind if it does not",
        cells=[
            code("1 / 0", "raises-exception"),
            code("print('did not raise')", "raises-exception"),
            code("undefined", "something", "raises-exception"),
            code("undefined_too", "something"),
            code("print('never')"),
        ],
        fails=(3, "error"),
    ),
    Example(
        name="skip_execution",
        about="the tag leaves a cell as it is, with what it showed",
        cells=[
            code("print('run')"),
            code("1 / 0", "skip-execution", outputs=(said(OLD),)),
            code("x = 1", "skip-execution", "raises-exception"),
            code("'x' in globals()"),
        ],
    ),
    Example(
        name="no_permission",
        about="metadata and tags that look like a permission to fail and are none",
        cells=[
            code("print('run')", "remove-cell", "hide-output"),
            code("1 / 0", "raises_exception", "allow_errors", allow_errors=True),
            code("print('never')"),
        ],
        metadata={"allow_errors": True},
        fails=(1, "error"),
    ),
    Example(
        name="pictures",
        about="PNG and SVG, displayed and as results, with width and height in the metadata",
        cells=[
            code(PICTURE),
            code("display(Image(png))\nImage(png, width=64, height=32)"),
            code('SVG(\'<svg xmlns="http://www.w3.org/2000/svg"><circle r="5"/></svg>\')'),
        ],
    ),
    Example(
        name="matplotlib",
        about="a plot in the notebook",
        wants=("matplotlib",),
        cells=[
            code("%matplotlib inline"),
            code("import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);"),
            code("figure, axes = plt.subplots()\naxes.bar(['a', 'b'], [1, 2])\nplt.show()\n'after'"),
        ],
    ),
    Example(
        name="mime_types",
        about="HTML, LaTeX, JSON, Markdown, several types of one object, a raw bundle",
        cells=[
            code(
                "from IPython.display import *\ndisplay(HTML('<i>html</i>'), Latex('$x$'), Markdown('*md*'))"
            ),
            code("JSON({'a': [1, {'b': None}]}, expanded=True)"),
            code(RICH),
            code("display(Rich())\nRich()"),
            code("""
bundle = {'text/plain': 'p', 'application/vnd.mine+json': {'x': [1.5, True]}, 'text/x-mine': 'm'}
display(bundle, metadata={'text/x-mine': {'key': 'value'}}, raw=True)
Javascript('1')
"""),
        ],
    ),
    Example(
        name="display_ids",
        about="displays that are changed in the same cell, from a later one, and two of one id",
        cells=[
            code("""
from IPython.display import display
first = display('old', display_id='a')
first.update('new')
"""),
            code("display('x', display_id='b')\nprint('between')\ndisplay('untouched', display_id='c')"),
            code("display('y', display_id='d')\ndisplay('z', display_id='d')"),
            code("display('later', display_id='b', update=True)\nfirst.update('newest')"),
            code("display('nowhere', display_id='unknown', update=True)\nprint('done')"),
        ],
    ),
    Example(
        name="display_id_again",
        about="two displays of one id in two cells, both changed from a third",
        cells=[
            code("from IPython.display import display\ndisplay('one', display_id='a')"),
            code("display('one', display_id='a')"),
            code("display('two', display_id='a', update=True)"),
        ],
    ),
    Example(
        name="display_id_shown_anew",
        about="what is displayed under an id that has been used, with other content",
        cells=[
            code("from IPython.display import display\ndisplay('one', display_id='a')"),
            code("display('two', display_id='a')"),
        ],
    ),
    Example(
        name="display_id_result",
        about="a display that a cell cleared is changed no more, one shown afterwards is",
        cells=[
            code("""
from IPython.display import clear_output, display
display('gone', display_id='a')
clear_output()
print('instead', flush=True)
display('there', display_id='b')
"""),
            code("display('1', display_id='a', update=True)\ndisplay('2', display_id='b', update=True)"),
        ],
    ),
    Example(
        name="clear_output",
        about="output is cleared at once, or when the next comes, which it may never",
        cells=[
            code("""
from IPython.display import clear_output
print('old', flush=True)
clear_output()
print('new')
"""),
            code("print('stays', flush=True)\nclear_output(wait=True)"),
            code("print('old', flush=True)\nclear_output(wait=True)\n'the result replaces it'"),
            code("print('old', flush=True)\nclear_output()"),
            code(PROGRESS),
            code("clear_output(wait=True)\n1 / 0", "raises-exception"),
        ],
    ),
    Example(
        name="widgets",
        about="models of widgets, changed after they were shown, with binary state",
        wants=("ipywidgets",),
        cells=[
            code("import ipywidgets as widgets\nslider = widgets.IntSlider(value=3, max=9)\nslider"),
            code("""
label = widgets.Label('text')
widgets.jslink((slider, 'max'), (label, 'value'))
slider.value = 5
"""),
            code("box = widgets.HBox([label, widgets.Image(value=b'\\x89PNG', format='png')])\ndisplay(box)"),
            code("label.value = 'changed'\nslider.close()"),
        ],
    ),
    Example(
        name="output_widget",
        about="an Output widget takes what is written inside it, also from a function and within another",
        wants=("ipywidgets",),
        cells=[
            code("import ipywidgets as widgets\nout, inner = widgets.Output(), widgets.Output()\nout"),
            code("with out:\n    print('inside')\n    display('shown')\nprint('outside')"),
            code("@out.capture()\ndef f():\n    print('captured')\n\nf()\nprint('not captured')"),
            code("""
with out:
    print('before')
    with inner:
        print('nested')
    print('after')
inner
"""),
            code("out.clear_output()\nout.append_stdout('appended')"),
            code("with inner:\n    1 / 0", "raises-exception"),
        ],
    ),
    Example(
        name="interact",
        about="a function with widgets for its arguments",
        wants=("ipywidgets",),
        cells=[
            code("""
from ipywidgets import interact
@interact(x=(0, 10), y=False)
def f(x, y):
    return x, y
"""),
            code("print(f(1, 2))"),
        ],
    ),
    Example(
        name="no_input",
        about="nobody is there to be asked",
        cells=[
            code("input('name? ')", "raises-exception"),
            code("import getpass\ngetpass.getpass('word? ')", "raises-exception"),
            code("print('goes on')\ninput()"),
        ],
        fails=(2, "error"),
    ),
    Example(
        name="long_output",
        about="20,000 lines",
        cells=[code("for n in range(20_000):\n    print('line', n)"), code("'after'")],
    ),
    Example(
        name="many_outputs",
        about="twice as many displays as ipykernel's own queue holds",
        cells=[code("for n in range(2000):\n    display(n)"), code("'after'")],
    ),
    Example(
        name="large_output",
        about="5 MB at once, as text and as a result",
        cells=[
            code("print('é' * 2_500_000)"),
            code("from IPython.display import HTML\nHTML('x' * 5_000_000)"),
        ],
    ),
    Example(
        name="timeout",
        about="a cell that takes too long is interrupted, and is the last",
        cells=[
            code("print('quick')"),
            code("import time\nprint('started', flush=True)\nwhile True:\n    time.sleep(0.01)"),
            code("print('never')"),
        ],
        timeout=2,
        fails=(1, "timeout"),
    ),
    Example(
        name="kernel_dies",
        about="the kernel ends in the third cell",
        cells=[
            code("print('quick')"),
            code("import os, time"),
            # What it has written has left the process by then.
            code("print('last words', flush=True)\ntime.sleep(0.5)\nos._exit(3)"),
            code("print('never')"),
        ],
        fails=(2, "died"),
    ),
    Example(
        name="late_threads",
        about="a thread prints when its cell has ended",
        cells=[code(LATE_IN_THREAD), code("go.set()\nthread.join()\nprint('joined')"), code("'after'")],
    ),
    Example(
        name="late_tasks",
        about="a task prints when its cell has ended",
        cells=[code(LATE_IN_TASK), code("go.set()\nawait task"), code("'after'")],
    ),
    Example(
        name="await",
        about="await, async for and async with at the top of a cell",
        cells=[
            code(
                "import asyncio\nawait asyncio.sleep(0)\nprint('awaited')\nawait asyncio.sleep(0, 'result')"
            ),
            code("""
async def numbers():
    for n in range(3):
        yield n
async for n in numbers():
    print(n)
"""),
            code("[n async for n in numbers()]"),
            code("async with asyncio.timeout(0):\n    await asyncio.sleep(10)", "raises-exception"),
        ],
    ),
    Example(
        name="sys_exit",
        about="sys.exit is an error of its cell",
        cells=[code("import sys\nsys.exit(3)", "raises-exception"), code("sys.exit('bye')"), code("'never'")],
        fails=(1, "error"),
    ),
    Example(
        name="exit_at_the_end",
        about="the last cell ends the kernel the polite way",
        cells=[code("print('before')"), code("exit()")],
    ),
    Example(
        name="magics",
        about="line and cell magics, shell commands",
        cells=[
            code("%%bash\necho out\necho err >&2"),
            code("%%capture taken\nprint('captured')"),
            code("taken.stdout, taken.stderr"),
            code("calls = []\n%timeit -q -n 2 -r 3 calls.append(1)\nlen(calls)"),
            code("!echo from the shell\nlines = !printf 'a\\nb\\n'\nlines"),
            code("%%bash\nexit 3", "raises-exception"),
            code("%no_such_magic", "raises-exception"),
            code("%xmode Plain\n1 / 0", "raises-exception"),
            code("print?"),
        ],
    ),
    Example(
        name="other_cells",
        about="Markdown with an attachment, raw cells, code cells that are blank",
        cells=[
            text("# Title\n![x](attachment:x.png)", attachments={"x.png": {"image/png": "iVBORw0KGgo="}}),
            raw("as it is"),
            code(""),
            code("  \n\n"),
            code("", outputs=(said(OLD),)),
            code("1"),
            text(""),
            code("2", collapsed=True, scrolled=False, mine={"kept": [1]}),
        ],
        metadata={"title": "kept", "authors": [{"name": "somebody"}]},
    ),
    Example(
        name="tracebacks",
        about="errors that were caused by others, groups of them, those of syntax",
        cells=[
            code(NESTED_ERROR, "raises-exception"),
            code("def f(n):\n    return f(n - 1) if n else 1 / 0\nf(5)", "raises-exception"),
            code("for x in\n", "raises-exception"),
            code("raise ExceptionGroup('several', [ValueError(1), TypeError(2)])", "raises-exception"),
            code(
                "class Bad(Exception):\n    def __str__(self):\n        raise ValueError\nraise Bad",
                "raises-exception",
            ),
            code("raise KeyboardInterrupt", "raises-exception"),
            code("assert False, 'a\\nb'"),
        ],
        fails=(6, "error"),
    ),
    Example(
        name="warnings",
        about="warnings, which name the file that ipykernel gives to a cell, and logging",
        cells=[
            code("import warnings\nwarnings.warn('careful')\nwarnings.warn('old', DeprecationWarning)"),
            code("import logging\nlogging.warning('logged')\nlogging.info('not logged')"),
            code("print(__import__('inspect').currentframe().f_code.co_filename)"),
        ],
    ),
    Example(
        name="subprocesses",
        about="what other processes and C code write to file descriptors 1 and 2",
        cells=[
            # A thread of the kernel's reads it, and needs a moment to do so before the cell ends.
            code("import os, subprocess, time\nstatus = os.system('echo system')\ntime.sleep(0.3)\nstatus"),
            code("subprocess.run('echo run', shell=True)\ntime.sleep(0.3)"),
            code("subprocess.run('echo problem >&2', shell=True)\ntime.sleep(0.3)"),
            code("_ = os.write(1, b'written\\n')\ntime.sleep(0.3)"),
        ],
    ),
    Example(
        name="representations",
        about="objects whose text has an address, or cannot be made",
        cells=[
            code("object()"),
            code(
                "class Broken:\n    def __repr__(self):\n        raise RuntimeError('no repr')\nBroken()",
                "raises-exception",
            ),
            code("[lambda: 0, print, len]"),
        ],
    ),
    Example(
        name="strange_json",
        about="what JSON has no word for, large numbers, bundles that are not quite as they should be",
        cells=[
            code("from IPython.display import JSON\nJSON({'a': float('inf'), 'b': 10**30, 'c': 1e-300})"),
            code("display({'text/plain': 'only text'}, raw=True)\ndisplay({}, raw=True)"),
            code("display({'application/json': [1], 'text/html': ['<b>', 'x', '</b>']}, raw=True)"),
            code("display({'text/plain': 'x'}, metadata={'isolated': True, 'a': {'b': [None]}}, raw=True)"),
        ],
    ),
    Example(
        name="interrupts_itself",
        about="a cell that is interrupted, by itself, is an error and the run ends",
        cells=[
            code("import os, signal, time"),
            code(
                "print('before', flush=True)\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(10)",
                "raises-exception",
            ),
            code("raise KeyboardInterrupt"),
            code("'never'"),
        ],
        fails=(2, "error"),
    ),
    Example(
        name="more_magics",
        about="cell magics that show something, payloads for a front end, a debugger that nobody answers",
        cells=[
            code("%%html\n<b>html</b>"),
            code("%%latex\n$x$"),
            code("%%javascript\n1"),
            code("%%svg\n<svg/>"),
            code("%%markdown\n*md*"),
            code("get_ipython().set_next_input('a cell that is suggested')\n'result'"),
            code("%env JKM_NO_SUCH=1\nimport os\nos.environ['JKM_NO_SUCH']"),
            code("get_ipython().run_cell('print(1)\\n2')\n3"),
            code("%%prun -q -s cumulative\n1"),
            code("breakpoint()", "raises-exception"),
            code("%reset -f\n'os' in globals()"),
        ],
    ),
    Example(
        name="many_cells",
        about="a hundred small cells",
        cells=[code(f"print({number})\n{number}") for number in range(100)],
    ),
    Example(
        name="foreign_comms",
        about="comms that nobody answers",
        cells=[
            code("from comm import create_comm\ncomm = create_comm('nobody', data={'state': {'a': 1}})"),
            code("comm.send({'b': 2}, buffers=[b'x'])\nprint('sent')"),
            code("comm.close()\n'closed'"),
        ],
    ),
    Example(
        name="replaced_streams",
        about="streams that code exchanges, text without an end that a display follows",
        cells=[
            code("import contextlib, io, sys\ntaken = io.StringIO()"),
            code("with contextlib.redirect_stdout(taken):\n    print('x')"),
            code("taken.getvalue()"),
            code("print('no end', end='')\ndisplay('shown')\nprint(' and on', end='')\n'result'"),
            code("print('a', flush=True); print('b', file=sys.stderr, flush=True); display('c'); print('d')"),
            code("sys.displayhook = lambda value: print('mine', value)\n1"),
        ],
    ),
    Example(name="no_cells", about="a notebook without cells", cells=[]),
    Example(
        name="no_kernelspec",
        about="it does not say for which kernel it is",
        kernel="",
        cells=[code("import sys\nsys.version_info[0]")],
    ),
    Example(
        name="version_3",
        about="of nbformat 3, brought up to 4",
        version=(3, 0),
        cells=[text("old"), code("print('new')"), code("1 / 0")],
        fails=(2, "error"),
    ),
    Example(
        name="version_4_0",
        about="of nbformat 4.0: cells have no ids, and get none",
        version=(4, 0),
        cells=[text("old"), code("print('new')"), code("2")],
    ),
    Example(
        name="version_4_4",
        about="of nbformat 4.4: cells have no ids, and get none",
        version=(4, 4),
        cells=[code("from IPython.display import HTML\nHTML('x')"), code("2")],
    ),
]

IN_OTHERS = [
    Example(
        name="bash",
        about="bash_kernel",
        kernel="bash",
        cells=[
            code("echo hello"),
            code("kept=1; echo problem >&2"),
            code("echo $kept; printf '1\\n2\\n3\\n'"),
            code("false", "raises-exception"),
            code("echo first | displayHTML a"),
            code("cat /no/such/file"),
            code("echo never"),
        ],
        fails=(5, "error"),
    ),
    Example(
        name="r",
        about="IRkernel",
        kernel="ir",
        cells=[
            code("6 * 7"),
            code("cat('text\\n'); message('to stderr')"),
            code("data.frame(x = 1:3, y = c('a', 'b', 'c'))"),
            code("warning('careful')"),
            code("stop('no')", "raises-exception"),
            code("IRdisplay::display_html('<b>html</b>'); invisible(3)"),
            code("stop('the end')"),
        ],
        fails=(6, "error"),
    ),
    Example(
        name="xeus_python",
        about="xeus-python, which is not IPython in all things",
        kernel="xpython",
        cells=[
            code("print('hello')\n6 * 7"),
            code("display({'text/html': '<b>x</b>', 'text/plain': 'x'}, raw=True)"),
            code("1 / 0", "raises-exception"),
            code("raise ValueError('the end')"),
        ],
        fails=(3, "error"),
    ),
    Example(
        name="deno",
        about="TypeScript; what is printed takes its time, so each cell waits for it",
        kernel="deno",
        cells=[
            code("console.log('hello'); await new Promise((done) => setTimeout(done, 200))"),
            code(
                "await Deno.jupyter.broadcast('display_data', {data: {'text/plain': 'shown'}, metadata: {}})"
                "; await new Promise((done) => setTimeout(done, 200))"
            ),
            code("throw new Error('no')", "raises-exception"),
            code("const n: number = 6; await new Promise((done) => setTimeout(done, 200))"),
            code("throw new TypeError('the end')"),
        ],
        fails=(4, "error"),
    ),
    Example(
        name="ipykernel6",
        about="the older ipykernel",
        kernel="ipykernel6",
        cells=[
            code("print('a')\n1"),
            code("import sys\nprint('b', file=sys.stderr)"),
            code("1 / 0"),
            code("'never'"),
        ],
        fails=(2, "error"),
    ),
    Example(
        name="echo",
        about="a kernel written with this package",
        kernel="echo",
        cells=[
            code("print hello\nvalue 42"),
            code("show a first\nupdate a second"),
            code("print old\nclear\nprint new"),
            code("fail no", "raises-exception"),
            code("fail at the end"),
        ],
        fails=(4, "error"),
    ),
]

CORPUS = IN_PYTHON + IN_OTHERS
