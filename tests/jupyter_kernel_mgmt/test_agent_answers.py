"""Which answer belongs to which question."""

import asyncio

import pytest

from jupyter_kernel_mgmt import LaunchError
from jupyter_kernel_mgmt.agent._answers import HELLO, Answers


async def asked(answers: Answers, number: int, timeout: float = 20.0) -> asyncio.Task[object]:
    """A task that waits for an answer by now."""
    task: asyncio.Task[object] = asyncio.create_task(answers.wait(number, timeout, "answer"))
    await asyncio.sleep(0)
    return task


async def test_each_gets_its_own_in_any_order() -> None:
    answers = Answers()
    numbers = [answers.number() for _ in range(3)]
    tasks = [await asked(answers, number) for number in numbers]
    for number in reversed(numbers):
        assert answers.take({"event": "done", "re": number})
    assert await asyncio.gather(*tasks) == [{"event": "done", "re": number} for number in numbers]


async def test_the_first_hello_answers_what_nobody_asked() -> None:
    answers = Answers()
    task = await asked(answers, HELLO)
    assert answers.take({"event": "hello"})
    assert not answers.take({"event": "hello"})
    assert await task == {"event": "hello"}


async def test_what_nobody_waits_for_is_not_taken() -> None:
    """Events of processes, refusals of what was not numbered, answers that come too late."""
    answers = Answers()
    number = answers.number()
    task = await asked(answers, number)
    task.cancel()
    await asyncio.wait([task])
    for event in ({"event": "exited"}, {"event": "failed", "re": None}, {"event": "done", "re": number}):
        assert not answers.take(event)


async def test_a_failure_is_raised_and_so_is_silence() -> None:
    answers = Answers()
    task = await asked(answers, 1)
    answers.take({"event": "failed", "re": 1, "text": "no luck"})
    with pytest.raises(LaunchError, match="no luck"):
        await task
    with pytest.raises(LaunchError, match="the agent did not answer within 0 s"):
        await answers.wait(2, 0.0, "answer")


async def test_at_the_end_all_that_wait_fail() -> None:
    answers = Answers()
    tasks = [await asked(answers, answers.number()) for _ in range(2)]
    answers.end("it is gone")
    for task in tasks:
        with pytest.raises(LaunchError, match="it is gone"):
            await task
