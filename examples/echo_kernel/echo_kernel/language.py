"""The language: lines that begin with one of `WORDS` are obeyed, the others echoed."""

import asyncio
import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from jupyter_protocol import KernelSockets, Message, messages

WORDS = {
    "print": "TEXT: write it to stdout",
    "warn": "TEXT: write it to stderr",
    "fail": "TEXT: an error",
    "sleep": "SECONDS: take that long, unless interrupted",
    "wait": "FILE: until it is there",
    "ask": "PROMPT: write what the user answers",
    "secret": "PROMPT: the same, typed unseen",
    "show": "ID TEXT: a display",
    "update": "ID TEXT: what that display shows from now on",
    "clear": "what was shown goes when something else comes",
    "exit": "CODE: end the process at once",
}
SESSION = 1
ABOUT = {"name": "echo", "version": "1", "mimetype": "text/plain", "file_extension": ".echo"}


class EchoError(Exception):
    """What goes wrong in code."""


class Echo:
    """Answers requests about code, and puts questions to the user."""

    def __init__(self, sockets: KernelSockets) -> None:
        self.sockets = sockets
        self.count = 0
        self.history: list[tuple[int, int, str]] = []  # session, number, code
        self.questions: list[tuple[Message, asyncio.Future[str]]] = []

    def about(self, request: Message) -> Message:
        features = ["kernel subshells"]
        return messages.kernel_info_reply("echo", "1.0", ABOUT, supported_features=features, parent=request)

    async def answer(self, request: Message) -> Message | None:
        """The answer to a request; None for what needs none, or is not known."""
        content = request.content
        match request.msg_type:
            case "kernel_info_request":
                return self.about(request)
            case "execute_request":
                return await self.execute(request)
            case "complete_request":
                end = content["cursor_pos"]
                start = content["code"].rfind("\n", 0, end) + 1
                words = [word for word in WORDS if word.startswith(content["code"][start:end])]
                return messages.complete_reply(words, start, end, parent=request)
            case "inspect_request":
                word = content["code"].partition(" ")[0]
                data = {"text/plain": f"{word} {WORDS[word]}"} if word in WORDS else None
                return messages.inspect_reply(data, parent=request)
            case "is_complete_request":
                goes_on = content["code"].endswith("\\")
                return messages.is_complete_reply("incomplete" if goes_on else "complete", parent=request)
            case "history_request":
                return messages.history_reply(self.remember(content), parent=request)
            case "comm_info_request":
                return messages.comm_info_reply({}, parent=request)
            case "comm_open":  # nobody here could be its other half
                self.publish(messages.comm_close(content["comm_id"], parent=request))
        return None

    async def execute(self, request: Message) -> Message:
        code, silent = request.content["code"], request.content.get("silent", False)
        if request.content.get("store_history", True) and not silent:
            self.count += 1
            self.history.append((SESSION, self.count, code))
        count = self.count
        if not silent:
            self.publish(messages.execute_input(code, count, parent=request))
        echo = [line for line in code.splitlines() if not await self.obey(line, request)]
        if echo and not silent:
            self.publish(messages.execute_result(count, {"text/plain": "\n".join(echo)}, parent=request))
        return messages.execute_reply(count, parent=request)

    async def obey(self, line: str, request: Message) -> bool:
        """Do what a line says; whether it says something to do."""
        word, _, text = line.partition(" ")
        name, _, shown = text.partition(" ")
        match word:
            case "print" | "warn":
                stream = messages.stream(
                    "stdout" if word == "print" else "stderr", f"{text}\n", parent=request
                )
                self.publish(stream)
            case "fail":
                raise EchoError(text)
            case "sleep":
                await asyncio.sleep(float(text))
            case "wait":
                while not Path(text).exists():  # noqa: ASYNC110, ASYNC240 - nobody tells of it
                    await asyncio.sleep(0.01)
            case "ask" | "secret":
                answer = await self.ask(text, request, password=word == "secret")
                self.publish(messages.stream("stdout", f"{answer}\n", parent=request))
            case "show":
                display = messages.display_data(
                    {"text/plain": shown}, transient={"display_id": name}, parent=request
                )
                self.publish(display)
            case "update":
                self.publish(messages.update_display_data({"text/plain": shown}, name, parent=request))
            case "clear":
                self.publish(messages.clear_output(wait=True, parent=request))
            case "exit":
                os._exit(int(text))
            case _:
                return False
        return True

    def publish(self, message: Message) -> None:
        self.sockets.send("iopub", message)

    async def ask(self, prompt: str, request: Message, *, password: bool) -> str:
        """What the user of the client that sent the request answers."""
        if not request.content.get("allow_stdin"):
            raise EchoError("whoever sent this answers no questions")
        question = messages.input_request(prompt, password=password, parent=request)
        waiting = asyncio.get_running_loop().create_future()
        self.questions.append((question, waiting))
        try:
            self.sockets.send("stdin", question)
            return str(await waiting)
        finally:
            self.questions.remove((question, waiting))

    def hear(self, answer: Message) -> None:
        """Give an answer to whoever asked. Some clients do not say which question it is for."""
        for question, waiting in self.questions:
            meant = answer.parent_id in (question.msg_id, None) and answer.idents == question.idents
            if meant and not waiting.done():
                waiting.set_result(str(answer.content.get("value", "")))
                return

    def remember(self, wanted: dict[str, Any]) -> list[tuple[int, int, Any]]:
        """Earlier inputs: a range of them, those that match, or the last ones."""
        found = self.history
        if wanted["hist_access_type"] == "range":
            start, stop = wanted.get("start") or 0, wanted.get("stop")
            stop = self.count + 1 if stop is None else stop
            here = wanted.get("session") in (None, 0, SESSION)  # earlier ones are not remembered
            return shown([entry for entry in found if here and start <= entry[1] < stop], wanted)
        elif wanted["hist_access_type"] == "search":
            found = [entry for entry in found if fnmatchcase(entry[2], wanted.get("pattern") or "*")]
            if wanted.get("unique"):
                found = list({entry[2]: entry for entry in found}.values())
        n = wanted.get("n")
        return shown(found if n is None else found[max(len(found) - n, 0) :], wanted)


def shown(found: list[tuple[int, int, str]], wanted: dict[str, Any]) -> list[tuple[int, int, Any]]:
    """As a reply has them: nothing here has an output that is worth remembering."""
    return [(session, n, (code, None) if wanted.get("output") else code) for session, n, code in found]
