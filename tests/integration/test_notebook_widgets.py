"""Widgets of notebooks without a front end: what nbclient makes of them, and what the kernel hears."""

import asyncio
import importlib.util
import json
import re

import pytest

from jupyter_kernel_mgmt import launch
from jupyter_kernel_mgmt._outputs import fold
from jupyter_kernel_mgmt.notebook.widgets import WIDGET_STATE_TYPE, WidgetState

GUARD = 60

for needed in ("ipywidgets", "nbclient"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed", allow_module_level=True)

NBCLIENT = """
import asyncio, json, sys
import nbformat
from nbclient import NotebookClient

async def execute():
    cells = [nbformat.v4.new_code_cell(source) for source in json.loads(sys.argv[1])]
    notebook = nbformat.v4.new_notebook(cells=cells)
    async with asyncio.timeout(10):
        options = {"kernel_name": "python3", "timeout": 60, "coalesce_streams": True}
        await NotebookClient(notebook, **options).async_execute()
    return notebook

for attempt in range(4):
    try:
        notebook = asyncio.run(execute())
        break
    except Exception:
        continue
else:
    sys.exit(0)
outputs = [cell.outputs for cell in notebook.cells]
print("RESULT" + json.dumps([outputs, notebook.metadata.get("widgets", {})]))
"""
"""It may hang on Output widgets (https://github.com/jupyter/nbclient/issues/312), and then begins anew."""

FIRST = """
import ipywidgets as w
from IPython.display import display, clear_output, HTML
"""

NOTEBOOKS = {
    "nothing": ["print('no widgets here')"],
    "captures": [
        "out = w.Output(); out",
        "with out:\n    print('one'); print('two')\n    display(HTML('<b>three</b>'))\nprint('outside')",
        "with out:\n    1/0\nprint('goes on')",
        "with out:\n    import sys; print('four'); print('five', file=sys.stderr); print('six')",
        "with out:\n    get_ipython().run_cell('6 * 7')\n'outside'",
        "print([o['output_type'] for o in out.outputs])",
    ],
    "nested": [
        "a, b = w.Output(), w.Output(); display(a, b)",
        "with a:\n  print('a1')\n  with b:\n    print('b1')\n    display(a)\n  print('a2')\nprint('cell')",
        "with b:\n  with a:\n    with b:\n      print('b2')\n    print('a or b')\n  print('b3')",
        "[o['text'] for o in a.outputs if 'text' in o], len(b.outputs)",
    ],
    "clears": [
        "out = w.Output(); other = w.Output(); out",
        "with out:\n  print('one'); clear_output(); print('two')\n"
        "print('cell')\nclear_output()\nprint('cell again')",
        "with out:\n  for n in range(3):\n    clear_output(wait=True); print(n)",
        "with out:\n  clear_output(wait=True)\nprint('not yet')",
        "print(out.outputs)",
        "with out:\n  print('now')",
        "out.clear_output(wait=True)\nwith out:\n  clear_output()\n",
        "with other:\n  print('x')\nother.clear_output()",
        "clear_output(wait=True); print(out.outputs, other.outputs)",
    ],
    "decorator": [
        "out = w.Output(layout={'border': '1px solid'})\ndisplay(out)",
        "@out.capture(clear_output=True, wait=True)\ndef f(x):\n    print('f', x)\n    return x",
        "f(1); f(2)",
        "[f(3), out.outputs]",
    ],
    "sliders": [
        "a, b = w.IntSlider(3), w.IntSlider(4); w.link((a, 'value'), (b, 'value')); w.HBox([a, b])",
        "seen = w.Output()\ndef changed(change):\n  with seen:\n    print(change['new'])\n"
        "a.observe(changed, 'value')",
        "b.value = 17; a.value",
        "a.set_state({'value': 5}); w.jslink((a, 'value'), (b, 'max'))",
        "print(seen.outputs)",
    ],
    "bytes": [
        "image = w.Image(value=bytes(range(256)), format='png'); image",
        "video = w.Video(value=b'\\x00\\xff' * 1000, format='webm'); display(video)",
        "image.value = b'other'; upload = w.FileUpload()",
        "from datetime import datetime, timezone\n"
        "upload.value = tuple({'name': n, 'type': 't', 'size': 3, 'content': memoryview(n.encode()),"
        " 'last_modified': datetime(2024, 1, 1, tzinfo=timezone.utc)} for n in ('a', 'b'))",
        "play = w.Play(); play.close(); audio = w.Audio(value=b'1'); audio.value = b''; w.VBox([audio])",
    ],
    "given": [
        "out = w.Output(outputs=({'output_type': 'stream', 'name': 'stdout', 'text': 'given\\n'},)); out",
        "out.append_stdout('appended\\n'); out.append_display_data(HTML('<i>')); len(out.outputs)",
        "with w.Output() as nobody_looks:\n    print('captured all the same')",
    ],
    "interact": [
        "def f(x, y):\n    print(x, y)\n    return x\ni = w.interactive(f, x=3, y=['a', 'b']); display(i)",
        "i.children[0].value = 7",
        "w.interactive_output(lambda x: print('out', x), {'x': i.children[0]})",
    ],
    "closed": [
        "out = w.Output(); text = w.Text('t'); display(out, text)\nwith out:\n    print('before')",
        "text.close(); out.close()",
        "print('after')",
    ],
}


async def run(cells):
    """Outputs of the cells and the metadata, as an executor makes them; and the state and what was sent."""
    state, sent, by_request = WidgetState(), [], {}

    def feed(channel, message):
        disposition = state.feed(message)
        for news in disposition.send:
            sent.append(news)
            kernel.client.send("shell", news)
        if not disposition.consumed:
            by_request.setdefault(message.parent_id, []).append(message)

    outputs = []
    async with launch("spec/python3") as kernel, asyncio.timeout(GUARD):
        kernel.client.add_handler(feed, ["iopub"])
        for source in cells:
            execution = kernel.execute(source)
            result = await execution
            assert result.status == "ok", result.error
            kinds = {"stream", "display_data", "execute_result", "error", "clear_output"}
            outputs.append(fold(m for m in by_request[execution.msg_id] if m.msg_type in kinds)[0])
    return outputs, state.metadata(), sent


def comparable(outputs, metadata):
    """As text, with the widgets' random names numbered as they come."""
    names = {}
    text = json.dumps([outputs, metadata], indent=1, sort_keys=True)
    for comm_id in metadata.get(WIDGET_STATE_TYPE, {"state": {}})["state"]:
        names[comm_id] = f"widget-{len(names)}"
    text = re.sub(r"\b[0-9a-f]{32}\b", lambda found: names.get(found[0], "unknown"), text)
    text = re.sub(r"(?<=IPY_MODEL_)[0-9a-f]{32}", lambda found: names.get(found[0], "unknown"), text)
    value = json.loads(re.sub(r"0x[0-9a-f]+|(?<=msg_id=')[^']+|ipykernel_\d+/\d+", "…", text))
    return json.dumps(value, indent=1, sort_keys=True)


@pytest.mark.parametrize("name", NOTEBOOKS)
async def test_outputs_and_metadata_are_those_of_nbclient(name, python_process):
    """For notebooks that use widgets in every way that nbclient takes part in."""
    cells = [FIRST, *NOTEBOOKS[name]]
    printed = await python_process(NBCLIENT, json.dumps(cells))
    if "RESULT" not in printed:
        pytest.skip("nbclient has hung four times")
    theirs = json.loads(printed.partition("RESULT")[2])
    outputs, metadata, _ = await run(cells)
    assert comparable(outputs, metadata).splitlines() == comparable(*theirs).splitlines()
    assert bool(metadata) == (name != "nothing")


async def test_comms_of_others_are_no_widgets():
    """There is nothing to write then, where nbclient writes an empty state."""
    source = "from comm import create_comm\nc = create_comm('other', {'state': {'a': 1}}); c.send({'x': 1})"
    outputs, metadata, sent = await run([source])
    assert (outputs, metadata, sent) == ([[]], {}, [])


async def test_the_kernel_hears_what_was_captured_once_a_request():
    """Not with each output; and the next cell knows it."""
    loop = "out = w.Output()\nwith out:\n  for n in range(100):\n    print(n, flush=True); display(n)"
    outputs, _, sent = await run([FIRST, loop, "len(out.outputs)"])
    assert outputs[2][0]["data"]["text/plain"] == "200"
    assert len(sent) == 1


async def test_what_the_kernel_takes_back_is_gone():
    """An assignment to ``outputs`` counts from then on, where nbclient goes on with what was there before."""
    cells = [
        FIRST,
        "out = w.Output()\nwith out:\n  print('one')",
        "out.outputs = ()",
        "with out:\n  print('two')",
        "print(out.outputs)",
    ]
    outputs, _, _ = await run(cells)
    assert outputs[4][0]["text"] == "({'output_type': 'stream', 'name': 'stdout', 'text': 'two\\n'},)\n"


async def test_a_display_in_a_widget_is_updated():
    """And the kernel hears of it, where nbclient leaves it as it was."""
    cells = [
        FIRST,
        "out = w.Output()\nwith out:\n  handle = display('old', display_id=True)",
        "handle.update('new')",
        "out.outputs[0]['data']['text/plain']",
    ]
    outputs, metadata, _ = await run(cells)
    assert outputs[3][0]["data"]["text/plain"] == "\"'new'\""
    assert "'new'" in json.dumps(metadata)
    assert "'old'" not in json.dumps(metadata)
