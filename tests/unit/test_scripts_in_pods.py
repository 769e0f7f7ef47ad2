"""What Kubernetes does to a container's command before a shell sees it."""

import re

import pytest

from webhook.injection.scripts import CHECK_NODE_AND_START, SCRIPTS, START, START_WITH_STORE


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=list(SCRIPTS))
def test_the_scripts_have_no_two_dollars_in_a_row(script: str) -> None:
    """`$(NAME)` is a variable's value there, so two dollars are how one is written."""
    assert "$$" not in script


@pytest.mark.parametrize(
    "script",
    [START, START_WITH_STORE, CHECK_NODE_AND_START],
    ids=["start", "with a store", "with a check"],
)
def test_no_command_of_the_start_script_reads_like_a_variable_of_the_profile(script: str) -> None:
    """Kubernetes would replace the command by the value of a variable in `daemon.env`."""
    assert re.findall(r"\$\([A-Za-z0-9_.-]*\)", script) == []
