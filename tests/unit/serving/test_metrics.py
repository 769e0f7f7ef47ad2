import ast
from pathlib import Path

import pytest

from webhook import serving
from webhook.injection import Endpoint, Reason
from webhook.serving.metrics import WHYS, Metrics


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("endpoint", Endpoint)
def test_every_decision_is_counted_in_a_series_of_its_own(
    endpoint: Endpoint, reason: Reason
) -> None:
    metrics = Metrics()
    metrics.decided(endpoint, reason, 0.001)
    labels = f'endpoint="{endpoint}",outcome="{reason.outcome}",reason="{reason.slug}"'
    counted = [line for line in decisions(metrics) if not line.endswith(" 0.0")]
    assert counted == [f"dind_webhook_decisions_total{{{labels}}} 1.0"]
    assert len(decisions(metrics)) == len(Endpoint) * len(Reason)


def decisions(metrics: Metrics) -> list[str]:
    """The series of decisions, with their values."""
    lines = metrics.text().decode().splitlines()
    return [line for line in lines if line.startswith("dind_webhook_decisions_total{")]


def test_durations_fall_into_their_buckets() -> None:
    metrics = Metrics()
    for seconds in (0.00005, 0.0001, 0.0003, 7):
        metrics.decided(Endpoint.POD, Reason.INJECTED, seconds)
    name = "dind_webhook_request_duration_seconds"
    lines = metrics.text().decode().splitlines()
    for line in (
        f'{name}_bucket{{le="0.0001"}} 2.0',  # a bound belongs to its bucket
        f'{name}_bucket{{le="0.00025"}} 2.0',
        f'{name}_bucket{{le="0.0005"}} 3.0',
        f'{name}_bucket{{le="2.5"}} 3.0',
        f'{name}_bucket{{le="+Inf"}} 4.0',
        f"{name}_count 4.0",
        f"{name}_sum 7.00045",
    ):
        assert line in lines


def test_every_why_is_used_somewhere() -> None:
    """A counter that nothing counts would promise what the service does not tell apart."""
    used = {
        node.value
        for module in Path(serving.__path__[0]).glob("*.py")
        if module.stem != "metrics"
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(WHYS) <= used


def test_two_services_in_one_process_do_not_share_metrics() -> None:
    first, second = Metrics(), Metrics()
    first.rejected["error"].inc()
    line = b'dind_webhook_rejected_requests_total{why="error"}'
    assert line + b" 1.0" in first.text()
    assert line + b" 0.0" in second.text()
