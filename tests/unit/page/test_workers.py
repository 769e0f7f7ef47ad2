"""The processes that answer questions, and how many there are."""

import asyncio
import sys

import pytest
from cli.running import POD
from service.memorylog import MemoryLog

from webhook.cli.page import workers as module
from webhook.cli.page.evaluation import Answer, Question
from webhook.cli.page.worker import TOO_LONG, TOO_MUCH
from webhook.cli.page.workers import RUNNING, WAITING, BusyError, WorkerError, Workers

QUESTION = Question(POD, None, "default")


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def workers(log: MemoryLog) -> Workers:
    return Workers(log.logger)


def test_a_worker_answers(workers: Workers) -> None:
    answer = asyncio.run(workers.answer(QUESTION))

    assert [pod.outcome for section in answer.sections for pod in section.pods] == ["injected"]


def test_slow_workers_are_killed(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.01)

    assert asyncio.run(workers.answer(QUESTION)) is TOO_MUCH


def test_failed_workers_are_logged_without_the_text(
    workers: Workers, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(WorkerError):
        asyncio.run(workers.answer(QUESTION))

    (line,) = log.lines()
    assert (line["event"], line["exit_code"]) == ("worker failed", 1)
    assert "clean-ci" not in log.text()


def test_questions_over_the_bound_are_rejected(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = 0
    most = 0

    async def run(_question: Question) -> Answer:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return Answer()

    monkeypatch.setattr(workers, "_run", run)

    async def ask() -> list[object]:
        questions = [workers.answer(QUESTION) for _ in range(RUNNING + WAITING + 3)]
        return list(await asyncio.gather(*questions, return_exceptions=True))

    answers = asyncio.run(ask())
    assert [type(answer) for answer in answers[-3:]] == [BusyError] * 3
    assert answers.count(Answer()) == RUNNING + WAITING
    assert most == RUNNING
    assert asyncio.run(workers.answer(QUESTION)) == Answer()


def test_a_long_value_that_many_pods_repeat_is_not_answered(workers: Workers) -> None:
    """A document that changes is written without its aliases."""
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: %s}"
    long = f"&long {{containers: [{{name: a, image: a, args: [{'&' * 90_000!r}]}}]}}"
    items = "".join(f"- {pod % spec}\n" for spec in [long, *["*long"] * 49])
    text = f"apiVersion: v1\nkind: List\nitems:\n{items}"

    answer = asyncio.run(workers.answer(Question(text, "true", "default")))

    assert answer.problem == TOO_LONG.problem
