"""How long a stopping process waits for requests that still come."""

import asyncio
import json
import time
from pathlib import Path

import pytest
from service.memorylog import MemoryLog
from service.reviews import review

from webhook.config import Config
from webhook.injection import Endpoint
from webhook.serving.metrics import Metrics
from webhook.serving.server import Options, _quiet
from webhook.serving.service import Service


@pytest.fixture
def service(log: MemoryLog) -> Service:
    return Service(Config(), Metrics(), log.logger)


def wait(service: Service, quiet: float, deadline: float) -> None:
    options = Options(tls_dir=Path("unused"), quiet_period=quiet, stop_deadline=deadline)
    asyncio.run(_quiet(service, options))


def test_a_request_begins_the_quiet_period_anew(service: Service) -> None:
    service.last_request = time.perf_counter() + 0.1  # one that comes while it waits
    wait(service, quiet=0.05, deadline=60)
    assert time.perf_counter() >= service.last_request + 0.05


def test_without_requests_it_counts_from_the_signal(service: Service) -> None:
    started = time.perf_counter()
    wait(service, quiet=0.05, deadline=60)
    assert time.perf_counter() >= started + 0.05


def test_it_ends_at_the_deadline_whatever_comes(service: Service) -> None:
    service.last_request = time.perf_counter() + 1000
    wait(service, quiet=60, deadline=0.01)
    assert time.perf_counter() < service.last_request


def test_every_review_is_a_request(service: Service) -> None:
    before = time.perf_counter()
    service.answer(Endpoint.POD, json.dumps(review()).encode())
    assert service.last_request >= before
