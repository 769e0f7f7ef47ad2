"""Golden pairs, see `cases.py`."""

import os

import pytest
from golden.cases import DIRECTORY, RESULTS, Case, cases, patched, rendered
from unit.injection.rules import breaches

from webhook.injection import Injected, Reason

UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
CASES = cases()
INJECTED = [case for case in CASES if isinstance(case.decide(), Injected)]


def each(some: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", some, ids=lambda case: case.path.stem)


@each(CASES)
def test_results_are_the_golden_ones(case: Case) -> None:
    ending, text = rendered(case)
    golden = case.result(ending)
    if UPDATE:
        golden.write_text(text, encoding="utf-8")
    assert golden.exists(), f"{golden.name} is missing; see cases.py for how to write it"
    assert text == golden.read_text(encoding="utf-8")


@each(INJECTED)
def test_a_second_run_changes_nothing(case: Case) -> None:
    first = case.decide()
    assert isinstance(first, Injected)
    second = case.decide(patched(case.pod, first))
    assert isinstance(second, Injected)
    assert second.patch == []
    assert second.reason is Reason.ALREADY_INJECTED


@each(INJECTED)
def test_pods_are_valid_before_and_after(case: Case) -> None:
    decision = case.decide()
    assert isinstance(decision, Injected)
    assert breaches(case.pod) == []
    assert breaches(patched(case.pod, decision)) == []


def test_every_result_belongs_to_a_case() -> None:
    expected = {case.result(rendered(case)[0]) for case in CASES}
    stale = {path for path in DIRECTORY.iterdir() if path.name.endswith(RESULTS)} - expected
    if UPDATE:
        for path in stale:
            path.unlink()
        stale = set()
    assert sorted(path.name for path in stale) == []


@each(CASES)
def test_cases_begin_with_a_comment(case: Case) -> None:
    assert case.path.read_text(encoding="utf-8").startswith("# ")
