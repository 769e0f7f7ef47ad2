"""What Kubernetes does to a container's command before a shell sees it."""

import pytest

from webhook.injection.scripts import SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=list(SCRIPTS))
def test_the_scripts_have_no_two_dollars_in_a_row(script: str) -> None:
    """`$(NAME)` is a variable's value there, so two dollars are how one is written."""
    assert "$$" not in script
