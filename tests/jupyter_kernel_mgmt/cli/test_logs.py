import logging

import pytest

from jupyter_kernel_mgmt.cli.logs import OneLine, silenced


def test_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    """Without the traceback that came with it."""
    logging.getLogger("x").error("It failed: %s", "so", exc_info=ValueError("inside"))
    assert OneLine().format(caplog.records[0]) == "jupyter-kernels: It failed: so"


def test_nothing_is_logged_while_silenced(caplog: pytest.LogCaptureFixture) -> None:
    """And everything again afterwards."""
    with silenced():
        logging.getLogger("x").critical("no")
    logging.getLogger("x").warning("yes")
    assert caplog.messages == ["yes"]


def test_who_debugs_sees_it_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """It may be what is looked for."""
    with caplog.at_level(logging.DEBUG), silenced():
        logging.getLogger("x").warning("yes")
    assert caplog.messages == ["yes"]
