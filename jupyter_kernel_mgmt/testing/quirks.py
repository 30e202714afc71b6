"""`Quirks`: how a kernel misbehaves."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How a kernel misbehaves; all of it was seen in kernels that people use. By default it does not.

    ``silent`` answers nothing at all. ``lost_on_iopub`` is how many of the first iopub messages get lost, as
    with a young subscription. The words are what replies say of code that was interrupted or not run.

    Of status: without ``says_status`` neither busy nor idle is ever sent, without ``says_idle`` only busy;
    ``holds_idle`` keeps each idle until `FakeKernel.release_idles`; ``repeats_idle`` sends it twice.

    ``supported_features`` is what kernel_info tells. Without "kernel subshells" (JEP 91) among them, requests
    about subshells get no reply and ``subshell_id`` is ignored, as in kernels that know nothing of it.
    ``answers_about_subshells`` is False for one that claims the feature and does not answer.
    """

    silent: bool = False
    lost_on_iopub: int = 0
    says_status: bool = True
    says_idle: bool = True
    holds_idle: bool = False
    repeats_idle: bool = False
    says_status_in_replies: bool = True
    replies_before_busy: bool = False
    replies_after_idle: bool = False
    answers_on_control: bool = True
    answers_kernel_info_on_control: bool = True
    answers_about_subshells: bool = True
    ignores_interrupts: bool = False
    ignores_shutdown: bool = False
    aborted_word: Literal["aborted", "abort"] = "aborted"
    interrupted_word: Literal["error", "abort", "ok"] = "error"
    supported_features: tuple[str, ...] = ()
