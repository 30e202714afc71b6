"""Subshells are made, used and deleted; none of ours stays behind in a kernel that lives."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from jupyter_kernel_mgmt import ClientClosed, KernelClient, KernelDied, Unsupported, subshells
from jupyter_kernel_mgmt.exceptions import SubshellError
from jupyter_kernel_mgmt.subshells import FEATURE, Subshells, goes_beside
from jupyter_kernel_mgmt.testing import FakeKernel, FakeRun, MemoryChannels, Quirks
from jupyter_protocol import Message, messages

ABLE = Quirks(supported_features=(FEATURE,))
FOREVER = "while True: pass"

Open = Callable[..., Awaitable[tuple[KernelClient, FakeKernel, Subshells]]]


@pytest.fixture(autouse=True)
def fakes_may_have_a_sidecar(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are as safe as ipykernel."""
    monkeypatch.setattr(subshells, "SIDECAR_KERNELS", {"ipython", "fake"})


async def behave(run: FakeRun) -> None:
    """Code either does nothing or never ends."""
    if run.code == FOREVER:
        await asyncio.Event().wait()


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Makes a client, its fake kernel and the client's subshells; all are closed after the test."""
    async with AsyncExitStack() as stack:

        async def make(quirks: Quirks = ABLE) -> tuple[KernelClient, FakeKernel, Subshells]:
            channels = MemoryChannels()
            kernel = await stack.enter_async_context(FakeKernel(channels.kernel, behave, quirks=quirks))
            client = await stack.enter_async_context(KernelClient(channels))
            made = Subshells(client)
            client.add_handler(made.received)
            return client, kernel, made

        yield make


async def turns(count: int) -> None:
    """Let the loop turn so often."""
    for _ in range(count):
        await asyncio.sleep(0)


async def run_forever(client: KernelClient, subshell_id: str | None = None) -> str:
    """Send code that does not end, and wait until it runs; its msg_id."""
    busy: set[str | None] = set()

    def note(channel: str, message: Message) -> None:
        busy.add(message.parent_id)

    request = messages.execute_request(FOREVER, subshell_id=subshell_id)
    client.add_handler(note, ("iopub",))
    client.send("shell", request)
    await client.until(lambda: request.msg_id in busy)
    client.remove_handler(note)
    return request.msg_id


def died(result: object) -> Exception:
    return KernelDied()


# Asking for them


async def test_a_subshell_is_made_listed_and_deleted(opened: Open) -> None:
    """The kernel agrees at each step."""
    _, kernel, ours = await opened()
    first, second = await ours.create(), await ours.create()

    assert await ours.list() == kernel.subshells == [first, second]
    await ours.delete(first)
    assert await ours.list() == kernel.subshells == [second]


@pytest.mark.parametrize("act", ["create", "list", "delete"])
async def test_without_the_feature_nothing_is_sent_that_would_not_be_answered(opened: Open, act: str) -> None:
    """Unsupported is raised as soon as the features are known."""
    _, kernel, ours = await opened(Quirks())
    arguments = ["some id"] if act == "delete" else []

    with pytest.raises(Unsupported, match="kernel subshells"):
        await getattr(ours, act)(*arguments)
    assert {message.msg_type for _, message in kernel.received} == {"kernel_info_request"}


async def test_features_are_asked_for_once_for_each_kernel(opened: Open) -> None:
    """And anew after fail(), which is another kernel."""
    _, kernel, ours = await opened()
    await asyncio.gather(*(ours.create() for _ in range(5)))
    assert len(kernel.requests("kernel_info_request")) == 2  # on shell and on control

    ours.fail()
    await ours.list()
    assert len(kernel.requests("kernel_info_request")) == 4


async def test_features_that_somebody_asked_for_are_not_asked_for_again(opened: Open) -> None:
    """Any kernel_info_reply will do, such as the one that makes a kernel ready."""
    client, kernel, ours = await opened()
    await client.kernel_info()
    await ours.list()

    assert len(kernel.requests("kernel_info_request")) == 1


@pytest.mark.parametrize("features", [None, "kernel subshells", 7, [FEATURE, 1]], ids=repr)
async def test_features_may_be_missing_or_nonsense(opened: Open, features: object) -> None:
    """Only a list that has it counts."""
    _, _, ours = await opened()
    reply = messages.new_message("kernel_info_reply", {"supported_features": features})
    ours.received("shell", reply)

    if isinstance(features, list):
        assert await ours.list() == []
    else:
        with pytest.raises(Unsupported):
            await ours.list()


async def test_kernels_that_answer_kernel_info_only_on_shell_are_understood(opened: Open) -> None:
    """As IRkernel does."""
    quirks = Quirks(answers_kernel_info_on_control=False, supported_features=(FEATURE,))
    _, kernel, ours = await opened(quirks)

    assert [await ours.create()] == kernel.subshells


async def test_a_kernel_that_does_not_tell_its_features_in_time_has_none(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is bounded."""
    monkeypatch.setattr(subshells, "ANSWER_TIMEOUT", 0.01)
    _, _, ours = await opened(Quirks(silent=True))

    with pytest.raises(Unsupported, match="which features"):
        await ours.create()


async def test_a_kernel_that_refuses_says_why(opened: Open) -> None:
    """These calls return values, so that an error reply is raised."""
    _, _, ours = await opened()

    with pytest.raises(SubshellError, match="Unknown subshell_id 'nobody'") as caught:
        await ours.delete("nobody")
    assert caught.value.request == "delete_subshell_request"


async def test_a_subshell_whose_code_runs_is_deleted_when_it_has_ended(opened: Open) -> None:
    """Before, it would freeze some kernels."""
    client, kernel, ours = await opened()
    subshell_id = await ours.create()
    msg_id = await run_forever(client, subshell_id)
    deletion = asyncio.create_task(ours.delete(subshell_id))
    await ours.list()
    assert kernel.requests("delete_subshell_request") == []

    request = next(m for m in kernel.requests("execute_request") if m.msg_id == msg_id)
    kernel.send("iopub", messages.status("idle", parent=request))
    await deletion
    assert kernel.subshells == []


async def test_a_subshell_whose_code_does_not_end_is_not_deleted(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is bounded and the error says so."""
    client, kernel, ours = await opened()
    subshell_id = await ours.create()
    await run_forever(client, subshell_id)
    monkeypatch.setattr(subshells, "ANSWER_TIMEOUT", 0.01)

    with pytest.raises(SubshellError, match="code still runs"):
        await ours.delete(subshell_id)
    assert kernel.requests("delete_subshell_request") == []


# Giving up


@pytest.mark.parametrize("moment", range(12))
async def test_a_creation_that_is_cancelled_leaves_none(opened: Open, moment: int) -> None:
    """Whenever that happens: before the reply, after it, or too late, when the caller has the id."""
    _, kernel, ours = await opened()
    await ours.list()
    creation = asyncio.create_task(ours.create())
    await turns(moment)
    creation.cancel()
    await asyncio.wait([creation])

    await ours.list()
    await ours.list()
    assert kernel.subshells == ([] if creation.cancelled() else [creation.result()])


async def test_a_reply_that_comes_too_late_leads_to_a_deletion(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would know of that subshell."""
    quirks = Quirks(supported_features=(FEATURE,), answers_about_subshells=False)
    client, kernel, ours = await opened(quirks)
    await client.kernel_info()
    monkeypatch.setattr(subshells, "ANSWER_TIMEOUT", 0.01)
    with pytest.raises(SubshellError, match="did not answer"):
        await ours.create()

    request = kernel.requests("create_subshell_request")[0]
    kernel.send("control", messages.create_subshell_reply("late", parent=request))
    assert (await kernel.wait_for("delete_subshell_request")).content == {"subshell_id": "late"}


async def test_subshells_that_others_make_are_not_ours(opened: Open) -> None:
    """A reply to a request that was sent past us leads to nothing."""
    client, kernel, ours = await opened()
    await client._ask(messages.create_subshell_request(), "control")
    await ours.aclose()

    assert len(kernel.subshells) == 1


# Closing


async def test_closing_deletes_ours_and_nobody_elses(opened: Open) -> None:
    """Twice is fine, and none is made any more."""
    _, kernel, ours = await opened()
    theirs = kernel.create_subshell()
    for _ in range(3):
        await ours.create()
    await ours.aclose()
    await ours.aclose()

    assert kernel.subshells == [theirs]
    with pytest.raises(ClientClosed):
        await ours.create()


async def test_closing_deletes_what_is_still_being_made(opened: Open) -> None:
    """Its caller is told that the client is closed."""
    _, kernel, ours = await opened()
    await ours.list()
    creation = asyncio.create_task(ours.create())
    await turns(1)
    await ours.aclose()

    assert kernel.subshells == []
    with pytest.raises(ClientClosed):
        await creation


@pytest.mark.parametrize("moment", range(6))
async def test_a_closing_that_is_cancelled_has_sent_the_deletions(opened: Open, moment: int) -> None:
    """From its first step on."""
    _, kernel, ours = await opened()
    await ours.create()
    closing = asyncio.create_task(ours.aclose())
    await turns(moment + 1)
    closing.cancel()
    await asyncio.wait([closing])

    await kernel.wait_for("delete_subshell_request")
    assert kernel.subshells == []


async def test_closing_leaves_a_subshell_that_runs_code_and_says_so(
    opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Deleting it could freeze somebody else's kernel."""
    client, kernel, ours = await opened()
    busy, free = await ours.create(), await ours.create()
    await run_forever(client, busy)
    monkeypatch.setattr(subshells, "CLOSE_TIMEOUT", 0.01)
    with caplog.at_level(logging.WARNING):
        await ours.aclose()

    assert kernel.subshells == [busy]
    assert busy in caplog.text
    assert free not in caplog.text


async def test_closing_waits_a_moment_for_code_that_runs(opened: Open) -> None:
    """Its subshell is deleted as soon as it is idle."""
    client, kernel, ours = await opened()
    subshell_id = await ours.create()
    await run_forever(client, subshell_id)
    closing = asyncio.create_task(ours.aclose())
    await turns(5)
    assert kernel.requests("delete_subshell_request") == []
    request = kernel.requests("execute_request")[0]
    kernel.send("iopub", messages.status("idle", parent=request))
    await closing

    assert kernel.subshells == []


async def test_a_kernel_that_does_not_answer_holds_up_closing_only_briefly(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletions have been sent."""
    _, kernel, ours = await opened()
    await ours.create()
    kernel.quirks = Quirks(silent=True)
    monkeypatch.setattr(subshells, "CLOSE_TIMEOUT", 0.01)
    await ours.aclose()

    assert kernel.requests("delete_subshell_request")


async def test_nothing_is_deleted_in_a_kernel_that_is_gone(opened: Open) -> None:
    """Its subshells went with it; closing has nothing to wait for."""
    client, kernel, ours = await opened()
    await ours.create()
    client.refuse(died)
    ours.fail()
    await ours.aclose()

    assert kernel.requests("delete_subshell_request") == []


# For the length of a block


async def test_a_block_has_a_subshell_of_its_own(opened: Open) -> None:
    """Code runs in it beside the main shell; it is gone after the block."""
    client, kernel, ours = await opened()
    await run_forever(client)
    async with ours.subshell() as subshell_id:
        reply = await client._ask(messages.execute_request("pass", subshell_id=subshell_id))
        assert reply.content["status"] == "ok"
        assert kernel.subshells == [subshell_id]

    assert kernel.subshells == []


async def test_a_block_that_raises_deletes_its_subshell_too(opened: Open) -> None:
    """And its error passes."""
    _, kernel, ours = await opened()
    with pytest.raises(ZeroDivisionError):
        async with ours.subshell():
            raise ZeroDivisionError

    assert kernel.subshells == []


async def test_a_block_whose_kernel_died_ends_with_its_own_error(opened: Open) -> None:
    """There is nothing to delete any more."""
    client, _, ours = await opened()

    async def use() -> None:
        async with ours.subshell():
            client.refuse(died)
            await client.kernel_info()

    with pytest.raises(KernelDied):
        await use()


# The sidecar


@pytest.mark.parametrize(
    ("message", "busy", "beside"),
    [
        (messages.complete_request("a"), True, True),
        (messages.inspect_request("a"), True, True),
        (messages.is_complete_request("a"), True, True),
        (messages.complete_request("a"), False, False),
        (messages.complete_request("a", subshell_id="mine"), True, False),
        (messages.history_request(), True, False),
        (messages.execute_request("a"), True, False),
        (messages.kernel_info_request(), True, False),
    ],
    ids=repr,
)
def test_which_requests_go_beside_running_code(message: Message, busy: bool, beside: bool) -> None:
    """Those of an editor, while the main shell is busy, unless they name a subshell."""
    assert goes_beside(message, busy=busy) is beside


async def test_completions_are_answered_while_code_runs_by_one_sidecar(opened: Open) -> None:
    """However many there are, and it goes when the client closes."""
    client, kernel, ours = await opened()
    await run_forever(client)
    replies = await asyncio.gather(
        ours.ask(messages.complete_request("a")),
        ours.ask(messages.inspect_request("a")),
        ours.ask(messages.is_complete_request("a")),
    )
    again = await ours.ask(messages.complete_request("b"))

    assert {reply.parent_header["subshell_id"] for reply in [*replies, again]} == set(kernel.subshells)
    assert len(kernel.subshells) == 1
    await ours.aclose()
    assert kernel.subshells == []


async def test_a_free_main_shell_answers_itself(opened: Open) -> None:
    """And no sidecar is made."""
    client, kernel, ours = await opened()
    await client.kernel_info()
    reply = await ours.ask(messages.complete_request("a"))

    assert "subshell_id" not in reply.parent_header
    assert kernel.subshells == []


async def test_a_main_shell_that_was_busy_before_we_came_keeps_no_completion_waiting(opened: Open) -> None:
    """Its busy was sent before we listened; that it has not answered us yet says enough."""
    client, kernel, ours = await opened(Quirks(supported_features=(FEATURE,), lost_on_iopub=1))
    client.send("shell", messages.execute_request(FOREVER))
    await kernel.wait_for("execute_request")
    assert not client.executing
    reply = await ours.ask(messages.complete_request("a"))

    assert [reply.parent_header["subshell_id"]] == kernel.subshells


async def test_kernels_not_known_to_be_safe_have_no_sidecar(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrappers inherit the feature from ipykernel and are broken by what runs beside their code."""
    monkeypatch.setattr(subshells, "SIDECAR_KERNELS", {"ipython"})
    client, kernel, ours = await opened()
    await run_forever(client)

    assert await ours.route(messages.complete_request("a")) is None
    assert kernel.subshells == []


async def test_without_the_feature_the_main_shell_answers_when_it_can(opened: Open) -> None:
    """Nothing is asked that is not answered."""
    client, kernel, ours = await opened(Quirks())
    await run_forever(client)
    completion = asyncio.create_task(ours.ask(messages.complete_request("a")))
    await kernel.wait_for("complete_request")
    kernel.interrupt()

    assert (await completion).content["status"] == "ok"
    assert kernel.requests("create_subshell_request") == []


async def test_a_kernel_slow_to_make_a_sidecar_keeps_no_completion_for_long(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes to the main shell; the sidecar that comes late serves the next one."""
    quirks = Quirks(supported_features=(FEATURE,), answers_about_subshells=False)
    client, kernel, ours = await opened(quirks)
    await run_forever(client)
    monkeypatch.setattr(subshells, "SIDECAR_TIMEOUT", 0.01)
    assert await ours.route(messages.complete_request("a")) is None
    assert await ours.route(messages.complete_request("a")) is None
    request = await kernel.wait_for("create_subshell_request")
    kernel.send("control", messages.create_subshell_reply("late", parent=request))
    monkeypatch.setattr(subshells, "SIDECAR_TIMEOUT", 20)

    assert await ours.route(messages.complete_request("a")) == "late"
    assert len(kernel.requests("create_subshell_request")) == 1


async def test_a_refused_sidecar_leaves_the_main_shell(opened: Open) -> None:
    """An error reply is no reason to fail a completion; the next one asks again."""
    quirks = Quirks(supported_features=(FEATURE,), answers_about_subshells=False)
    client, kernel, ours = await opened(quirks)
    await run_forever(client)
    for count in (1, 2):
        routing = asyncio.create_task(ours.route(messages.complete_request("a")))
        request = await kernel.wait_for("create_subshell_request", count=count)
        kernel.send("control", messages.error_reply(request, "NoRoom", "no room"))
        assert await routing is None


async def test_a_completion_that_is_cancelled_leaves_the_sidecar_to_the_next(opened: Open) -> None:
    """Those who type fast cancel often; one sidecar is enough for them."""
    client, kernel, ours = await opened()
    await run_forever(client)
    for moment in range(8):
        completion = asyncio.create_task(ours.ask(messages.complete_request("a")))
        await turns(moment)
        completion.cancel()
        await asyncio.wait([completion])
    await ours.ask(messages.complete_request("b"))

    assert len(kernel.requests("create_subshell_request")) == 1


async def test_a_sidecar_that_somebody_deleted_is_replaced(opened: Open) -> None:
    """Its completions are asked again of the new one."""
    client, kernel, ours = await opened()
    await run_forever(client)
    await ours.ask(messages.complete_request("a"))
    (old,) = kernel.subshells
    kernel.delete_subshell(old)
    reply = await ours.ask(messages.complete_request("a"))

    assert reply.content["status"] == "ok"
    assert [reply.parent_header["subshell_id"]] == kernel.subshells != [old]


async def test_a_sidecar_that_we_deleted_is_replaced(opened: Open) -> None:
    """An application may delete all it finds."""
    client, kernel, ours = await opened()
    await run_forever(client)
    await ours.ask(messages.complete_request("a"))
    await ours.delete(kernel.subshells[0])
    await ours.ask(messages.complete_request("a"))

    assert len(kernel.subshells) == 1


async def test_another_kernel_gets_a_sidecar_of_its_own(opened: Open) -> None:
    """The id of the last one means nothing to it."""
    client, kernel, ours = await opened()
    await run_forever(client)
    await ours.ask(messages.complete_request("a"))
    kernel.restart()
    ours.fail()
    await run_forever(client)
    reply = await ours.ask(messages.complete_request("a"))

    assert [reply.parent_header["subshell_id"]] == kernel.subshells
