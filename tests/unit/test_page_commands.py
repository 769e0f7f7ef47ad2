"""Who runs the commands of README and docs."""

import re

import pytest
from pages import ROOT, Block, blocks, in_order

MARKED = [block for block in blocks() if block.comment]


@pytest.mark.parametrize("block", MARKED, ids=lambda block: f"{block.page}: {block.text[:40]}")
def test_commands_are_run_by_a_test_or_are_examples_with_a_reason(block: Block) -> None:
    assert re.fullmatch(r"<!-- (Quick start|Run by|Example).{10,} -->", block.comment)
    for path in re.findall(r"tests/[\w/.]*\w", block.comment):
        assert (ROOT / path).exists(), path


def test_the_other_commands_are_run_once_in_the_order_of_the_pages_module() -> None:
    others = [block for block in blocks() if not block.comment]
    assert sorted(in_order(), key=repr) == sorted(others, key=repr)


def test_most_commands_are_run() -> None:
    examples = [block for block in MARKED if "Example" in block.comment]
    assert 2 * len(examples) < len(blocks())
