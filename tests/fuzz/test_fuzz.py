"""Every input that fuzzing found worth keeping; and, where atheris is, a minute of fuzzing more."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from fuzz import config, review
from fuzz.kept import TARGETS, corpus

TESTS = Path(__file__).parents[1]
SECONDS = 60
MOST_INPUTS = 300
MOST_BYTES = 1_000_000

KEPT = {target: sorted(corpus(target).iterdir()) for target in TARGETS}


def name(path: Path) -> str:
    return path.name[:8]


@pytest.mark.parametrize("path", KEPT["review"], ids=name)
def test_a_kept_body_is_answered_by_the_api_server_s_rules(path: Path) -> None:
    review.run(path.read_bytes())


@pytest.mark.parametrize("path", KEPT["config"], ids=name)
def test_a_kept_file_is_a_configuration_or_told_to_be_none(path: Path) -> None:
    config.run(path.read_bytes())


def test_the_examples_that_fuzzing_starts_from_are_answered() -> None:
    for text in review.seeds():
        review.run(text)
    for text in config.seeds():
        config.run(text)


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_is_small(target: str) -> None:
    assert 0 < len(KEPT[target]) < MOST_INPUTS
    assert sum(path.stat().st_size for path in KEPT[target]) < MOST_BYTES


@pytest.mark.fuzz
@pytest.mark.timeout(5 * SECONDS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_minute_of_guided_fuzzing_finds_nothing(target: str, tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not installed")
    ran = subprocess.run(
        [sys.executable, "-m", "fuzz", target, "--seconds", str(SECONDS), "--found", tmp_path],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-5000:]
    assert "stat::number_of_executed_units" in ran.stderr
