"""`ask`: one question to whoever sits at the terminal, on the running loop."""

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import DummyHistory
from prompt_toolkit.output import create_output


async def ask(prompt: str, *, password: bool = False) -> str:
    """The line that the user enters. Shown on stderr where stdout is no terminal; passwords are not shown.

    Raises `KeyboardInterrupt` for Ctrl-C and `EOFError` for Ctrl-D. Cancelling it is safe.
    """
    with create_app_session(output=create_output(always_prefer_tty=True)):
        session: PromptSession[str] = PromptSession(history=DummyHistory())
        return await session.prompt_async(ANSI(prompt), is_password=password, handle_sigint=False)
