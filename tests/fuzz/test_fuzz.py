"""Every input of the corpora; and, where atheris is installed, a minute of fuzzing."""

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
def test_bodies_of_the_corpus_are_answered_by_the_api_servers_rules(path: Path) -> None:
    review.run(path.read_bytes())


@pytest.mark.parametrize("path", KEPT["config"], ids=name)
def test_files_of_the_corpus_are_configurations_or_errors(path: Path) -> None:
    config.run(path.read_bytes())


def test_seeds_are_answered() -> None:
    for text in review.seeds():
        review.run(text)
    for text in config.seeds():
        config.run(text)


@pytest.mark.parametrize("target", TARGETS)
def test_corpora_are_small(target: str) -> None:
    assert 0 < len(KEPT[target]) < MOST_INPUTS
    assert sum(path.stat().st_size for path in KEPT[target]) < MOST_BYTES


@pytest.mark.fuzz
@pytest.mark.timeout(5 * SECONDS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_minute_of_guided_fuzzing_finds_no_defect(target: str, tmp_path: Path) -> None:
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
