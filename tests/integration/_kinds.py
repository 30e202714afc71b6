"""The kinds of kernels: what each is to be sent, and where they truthfully differ.

What is empty, a kernel cannot do; `examples/kernels.md` says the same in words.
"""

import os
import signal
import sys
from dataclasses import dataclass

import pytest

from jupyter_kernel_mgmt.kernelspec import get_kernelspec

PYTHON_ECHO = """
from comm import get_comm_manager
def echo(comm, opening):
    comm.on_msg(lambda message: comm.send(message["content"]["data"]))
get_comm_manager().register_target("echo", echo)
"""


@dataclass(frozen=True)
class Kind:
    """A kind of kernel. The defaults are those of ipykernel; in some code ``%s`` stands for what varies."""

    kernel_type: str
    title: str = ""  # in the table of examples/kernels.md
    version: str = ""  # code that prints it, where kernel_info tells another one's
    language: str = "python"

    # Output
    hello: str = "print('hello')"
    say: str = "print('%s')"
    error: str = "1/0"
    value: tuple[str, str, str] = ("6 * 7", "execute_result", "42")  # code, type of its output, plain text
    numbers: str = "for n in range(1500): print(n, flush=True)"  # from 0 to 1499, as they are printed
    stray: str = ""  # what it puts among them now and then
    display: str = "from IPython.display import display; display('first', display_id='%s'); None"
    update: str = "from IPython.display import display; display('second', display_id='%s', update=True); None"
    clear: str = (
        "from IPython.display import clear_output\n"
        "print('old', flush=True); clear_output(wait=True); print('new')"
    )

    # Time: both print "started" first
    gated: str = (
        "import os, time\nprint('started', flush=True)\n"
        "while not os.path.exists('%s'): time.sleep(0.01)\n"
        "print('ended')"
    )
    endless: str = "print('started', flush=True)\nimport time\nwhile True: time.sleep(0.05)"

    # Questions to the kernel and from it
    complete: tuple[str, str] = ("impor", "import")
    inspect: str = "print"
    inspects: bool = True
    history: bool = True
    unfinished: tuple[str, str] = ("for n in range(3):", "incomplete")
    question: str = "print(input('name? '))"
    secret: str = "import getpass; print(getpass.getpass('word? '))"
    asks_all_the_same: bool = False
    aborts_always: bool = False  # what is queued behind an error, though it is told not to
    takes_no_answer: str = ""  # what the question prints then; empty: it is an error
    open_comm: str = "from comm import create_comm; create_comm('t', data={'a': 1})"
    echo: str = PYTHON_ECHO  # makes the target "echo"
    closes_unknown_comms: bool = True
    subshells: bool = False
    subshells_wait: bool = False  # for each other, since they share a process of another language

    # Many at once
    in_flight: int = 100
    aborts: bool = True  # what is queued behind an error
    says_busy_when_it_comes_in: bool = False  # and not when it begins
    mixes_replies: bool = False  # among requests that wait together
    asks_everybody: bool = False  # who is connected, whoever sent the code
    mixes_clients: bool = False  # and so what it says to one with what it says to another

    # Its memory, its children
    remember: str = "kept = 1"
    recall: str = "print(kept)"
    child: str = "import os; os.system('sleep 600 &')"

    # Interrupts and ends
    interrupt_aborts: bool = False  # what is queued behind the interrupted code, anybody's
    dies_of_sigint: bool = False
    heeds_message: bool = True  # interrupt_request
    told_while_busy: str = ""  # to a second client, which has to wait; empty: it need not
    die: tuple[str, int] = ("import os; os._exit(3)", 3)  # code, its exit code
    own_session: bool = True
    exit_codes: tuple[int, ...] = (0,)
    busy_exit_codes: tuple[int, ...] = (0,)  # where it is interrupted before it is asked to end
    litter: tuple[str, ...] = ()  # what it leaves among temporary files when it is killed

    # What another client executes, over and over, with a number: text and value that come of it
    second: tuple[str, str, str] = (
        "print('second', {0})\nprint('client', {0})\n'value {0}'",
        "second {0}\nclient {0}\n",
        "'value {0}'",
    )

    def __str__(self) -> str:
        return self.kernel_type


PYIMPORT = Kind("pyimport/kernel", subshells=True)
IPYKERNEL_VERSION = "import ipykernel; print('ipykernel', ipykernel.__version__)"
PYTHON3 = Kind("spec/python3", "ipykernel 7", IPYKERNEL_VERSION, subshells=True)
IPYKERNEL6 = Kind("ipykernel6", "ipykernel 6", IPYKERNEL_VERSION)
BASH = Kind(
    "bash",
    "bash_kernel",
    language="bash",
    hello="echo hello",
    say="echo '%s'",
    error="cat /no/such/file",
    value=("", "", ""),
    numbers="for n in $(seq 0 1499); do echo $n; done",
    stray="\r",  # where it reads its terminal between the two characters that end a line
    display="echo first | displayHTML %s",
    update="echo second | displayHTML %s",
    clear="",
    gated="echo started; until test -e '%s'; do sleep 0.01; done; echo ended",
    # As one process: between two commands bash may lose the interrupt that its terminal sends.
    endless="bash -c 'echo started; exec sleep 600'",
    complete=("ech", "echo"),
    inspect="echo",
    inspects=False,
    history=False,
    unfinished=("for n in 1 2 3", "unknown"),
    question="",
    secret="",
    open_comm="",
    echo="",
    closes_unknown_comms=False,
    subshells=True,
    subshells_wait=True,
    in_flight=20,  # each takes it a tenth of a second
    remember="kept=1",
    recall='test -n "$kept" && echo $kept',
    child="sleep 600 &",
    die=("kill -9 $PPID", -9),
    # On ipykernel 7 its threads race for a socket when it ends, whoever asks: most often it exits, often it
    # answers and stays (then SIGTERM ends it), and once in a hundred times libzmq aborts it.
    exit_codes=(0, -signal.SIGTERM, -signal.SIGABRT),
    busy_exit_codes=(0, -signal.SIGTERM, -signal.SIGABRT),
    second=("echo second {0}; echo client {0}", "second {0}\nclient {0}\n", ""),
)
XEUS = Kind(
    "xpython",
    "xeus-python",
    # In one message: of a thousand at once it drops some.
    numbers="import sys; _ = sys.stdout.write(''.join(f'{n}\\n' for n in range(1500)))",
    echo="",  # "received bad message": it cannot hand a comm that we open to Python
    aborts=False,
    says_busy_when_it_comes_in=True,
    mixes_replies=True,
    mixes_clients=True,
    dies_of_sigint=True,
    heeds_message=False,
    # From Python 3.12 on it aborts at its end if code has failed: it lets go of the exception when the
    # interpreter has gone ("ImportError: sys.meta_path is None, Python is likely shutting down").
    exit_codes=(0,) if sys.version_info < (3, 12) else (0, -signal.SIGABRT),
)
IR = Kind(
    "ir",
    "IRkernel",
    language="R",
    hello="cat('hello\\n')",
    say="cat('%s\\n')",
    error="stop('no')",
    value=("6 * 7", "display_data", "[1] 42"),
    numbers="cat(0:1499, sep = '\\n')",
    aborts_always=True,
    display="",
    update="",
    clear="cat('old\\n'); IRdisplay::clear_output(wait = TRUE); cat('new\\n')",
    gated="cat('started\\n'); flush.console(); while (!file.exists('%s')) Sys.sleep(0.01); cat('ended\\n')",
    endless="cat('started\\n'); flush.console(); repeat Sys.sleep(0.05)",
    complete=("prin", "print"),
    history=False,
    unfinished=("for (n in 1:3) {", "incomplete"),
    question="cat(readline('name? '), '\\n', sep = '')",
    secret="",
    asks_all_the_same=True,
    open_comm="""
manager <- IRkernel::comm_manager()
manager$register_target('t', function(comm, data) NULL)
manager$new_comm('t')$open(list(a = 1))
""",
    echo="""
echo <- function(comm, data) comm$on_msg(function(data) comm$send(data))
IRkernel::comm_manager()$register_target('echo', echo)
""",
    remember="kept <- 1",
    recall="print(kept)",
    child="system('sleep 600 &')",
    interrupt_aborts=True,
    heeds_message=False,
    told_while_busy="busy",  # it answers on shell alone
    die=("tools::pskill(Sys.getpid(), 9)", -9),
    own_session=False,
    litter=("Rtmp*",),
    second=("cat('second {0}\\n'); cat('client {0}\\n')", "second {0}\nclient {0}\n", ""),
)
# What Deno prints or broadcasts leaves it later, under the name of the request that is current then.
SENT = "; await new Promise((done) => setTimeout(done, 100))"
DENO = Kind(
    "deno",
    "Deno",
    language="typescript",
    hello=f"console.log('hello'){SENT}",
    say=f"console.log('%s'){SENT}",
    error="throw new Error('no')",
    value=("", "", ""),  # it sends values, often after its word that it is idle: they belong to nobody then
    numbers=f"console.log(Array.from({{length: 1500}}, (_, n) => n).join('\\n')){SENT}",
    display=f"""await Deno.jupyter.broadcast('display_data', {{
        data: {{'text/plain': 'first'}}, metadata: {{}}, transient: {{display_id: '%s'}}}}){SENT}""",
    update=f"""await Deno.jupyter.broadcast('update_display_data', {{
        data: {{'text/plain': 'second'}}, metadata: {{}}, transient: {{display_id: '%s'}}}}){SENT}""",
    clear=f"""console.log('old'){SENT}
        await Deno.jupyter.broadcast('clear_output', {{wait: true}}); console.log('new'){SENT}""",
    gated=f"""console.log('started')
        while (!(await Deno.stat('%s').then(() => true, () => false))) await new Promise(
            (done) => setTimeout(done, 10))
        console.log('ended'){SENT}""",
    endless="console.log('started'); while (true) await new Promise((done) => setTimeout(done, 50))",
    complete=("Deno.vers", "version"),
    inspect="console",
    inspects=False,
    history=False,
    unfinished=("for (const n of [1, 2, 3]) {", "incomplete"),
    question=f"console.log(prompt('name?')){SENT}",
    secret="",
    takes_no_answer="null",
    open_comm=f"""await Deno.jupyter.broadcast('comm_open', {{
        comm_id: crypto.randomUUID(), target_name: 't', data: {{a: 1}}}}){SENT}""",
    echo="",
    closes_unknown_comms=False,
    in_flight=20,
    aborts=False,
    asks_everybody=True,
    mixes_clients=True,  # its outputs name the request that came in last
    remember="globalThis.kept = 1",
    recall="console.log(kept)",
    child="new Deno.Command('sleep', {args: ['600']}).spawn(); undefined",
    dies_of_sigint=True,
    heeds_message=False,
    told_while_busy="sent nothing on iopub",  # it answers on control, without busy and idle
    die=("Deno.kill(Deno.pid, 'SIGKILL')", -9),
    busy_exit_codes=(-signal.SIGINT,),
    second=(f"console.log('second {{0}}'){SENT}", "second {0}\n", ""),
)
ECHO = Kind(
    "echo",  # examples/echo_kernel; it is not in the table
    language="echo",
    hello="print hello",
    say="print %s",
    error="fail no",
    value=("6 * 7", "execute_result", "6 * 7"),
    numbers="\n".join(f"print {n}" for n in range(1500)),
    display="show %s first",
    update="update %s second",
    clear="print old\nclear\nprint new",
    gated="print started\nwait %s\nprint ended",
    endless="print started\nsleep 600",
    complete=("pri", "print"),
    inspect="print",
    unfinished=("print and \\", "incomplete"),
    question="ask name?",
    secret="secret word?",
    open_comm="",
    echo="",
    subshells=True,
    remember="",
    recall="",
    child="",
    die=("exit 3", 3),
    second=("print second {0}\nprint client {0}\nvalue {0}", "second {0}\nclient {0}\n", "value {0}"),
)
KINDS = [PYIMPORT, PYTHON3, IPYKERNEL6, BASH, XEUS, IR, DENO, ECHO]
QUICK = [PYTHON3, IPYKERNEL6, XEUS]

LONG = bool(os.environ.get("LONG_TESTS"))
"""Whether all that is tested with every kernel, which takes minutes more, is wanted."""


def in_long_form(wanted: object = False) -> None:
    """Skip in the short form, unless this is wanted there too."""
    if not (LONG or wanted):
        pytest.skip("in the long form only (LONG_TESTS=1), which takes minutes more")


def is_installed(kernel_type: str) -> bool:
    """Whether there is a kernelspec of that name."""
    try:
        get_kernelspec(kernel_type.removeprefix("spec/"))
    except KeyError:
        return False
    return True


def require(kernel_type: str) -> None:
    """Skip the test where a kernel is not installed."""
    if kernel_type == PYIMPORT.kernel_type:
        pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    elif not is_installed(kernel_type):
        pytest.skip(f"there is no kernelspec {kernel_type!r} here; see tests/install_kernels.py")
