"""What code says, alike with every kernel, alone or beside another client."""

import asyncio

import pytest

from jupyter_kernel_mgmt import OutputDropped

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBERS = "".join(f"{n}\n" for n in range(1500))


async def test_output_is_in_the_result(kernel, kind):
    """Text on stdout, and nothing else."""
    result = await kernel.execute(kind.say % "some text")
    assert (result.status, result.stdout, result.stderr) == ("ok", "some text\n", "")
    assert result.idle_seen
    assert result.error is None
    assert [output["output_type"] for output in result.outputs] == ["stream"]


async def test_an_error_is_a_result(kernel, kind):
    """With what the kernel says of it; the kernel goes on."""
    result = await kernel.execute(kind.error)
    assert result.status == "error"
    assert result.error is not None
    assert "error" in [output["output_type"] for output in result.outputs]
    assert (await kernel.execute(kind.say % "on")).stdout == "on\n"


async def test_a_value_is_in_the_result(kernel, kind):
    """As a MIME bundle: as the value, or, where the kernel calls it so, as a display."""
    code, msg_type, text = kind.value
    if not code:
        pytest.skip("it has no values, or sends them when all is over")
    result = await kernel.execute(code)
    (output,) = result.outputs
    assert (output["output_type"], output["data"]["text/plain"]) == (msg_type, text)
    assert result.text == (text if msg_type == "execute_result" else "")


async def test_a_display_is_updated_by_later_code(kernel, kind):
    """In the result that shows it; the code that updates it shows nothing itself."""
    if not kind.display:
        pytest.skip("it has no displays with ids")
    first = await kernel.execute(kind.display % "later")
    assert "first" in str(first.outputs[0]["data"])
    second = await kernel.execute(kind.update % "later")
    assert second.outputs == []
    (output,) = first.outputs
    assert (output["output_type"], "second" in str(output["data"])) == ("display_data", True)


async def test_a_display_is_updated_in_both_of_two_that_show_it(kernel, kind):
    """Whoever awaits them, and in whatever order."""
    if not kind.display or kind.kernel_type == "bash":
        pytest.skip("it shows nothing twice under one id")
    shown = []
    for _ in range(2):
        shown.append(kernel.execute(kind.display % "twice"))
        if kind.mixes_clients:  # and what it says of one request with what it says of another
            await shown[-1]
    await kernel.execute(kind.update % "twice")
    for execution in shown:
        (output,) = (await execution).outputs
        assert "second" in str(output["data"])


async def test_clear_output_waits_for_what_comes_next(kernel, kind):
    """The new output takes the place of the old; who reads along sees both, and the clearing."""
    if not kind.clear:
        pytest.skip("it cannot clear output")
    execution = kernel.execute(kind.clear)
    assert (await execution).stdout == "new\n"
    types = [message.msg_type async for message in execution]
    assert types.index("clear_output") > types.index("stream")
    assert types[-1] == "stream"


async def test_output_is_read_as_it_arrives(run_gated, gate):
    """While the code runs; then to its end."""
    execution = await run_gated()
    assert not execution.done()
    gate.touch()
    assert await text(execution) == "started\nended\n"
    assert execution.done()


async def test_output_can_be_read_after_the_end(kernel, kind):
    """From its beginning, by any number of readers, as often as they like."""
    execution = kernel.execute(kind.say % "once")
    assert (await execution).stdout == "once\n"
    assert await asyncio.gather(text(execution), text(execution)) == ["once\n"] * 2
    assert await text(execution) == "once\n"


async def test_much_output_arrives_whole_and_in_order(kernel, kind):
    """In the result, and for readers who come late or dawdle."""
    execution = kernel.execute(kind.numbers)
    seen = ""
    async for message in execution:
        seen += message.content["text"]
        await asyncio.sleep(0)
    assert seen.replace(kind.stray, "") == NUMBERS
    assert (await execution).stdout == seen
    assert await text(execution) == seen


async def test_over_its_limit_head_and_tail_are_kept(kernel, kind):
    """What is left out is counted, in the result and for readers; the status is not touched."""
    execution = kernel.execute(kind.numbers, output_limit=8_000)
    result = await execution
    assert result.status == "ok"
    assert result.dropped > 0
    shown = result.stdout.replace(kind.stray, "")
    assert NUMBERS.startswith(shown[:1])  # which may be a message of its own
    assert NUMBERS.endswith(shown[-4:])
    assert len(result.stdout) < len(NUMBERS)
    items = [item async for item in execution]
    assert [item.count for item in items if isinstance(item, OutputDropped)] == [result.dropped]


async def text(execution):
    return "".join([message.content["text"] async for message in execution])
