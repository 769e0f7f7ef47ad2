import ast
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from webhook import serving
from webhook.injection import Endpoint, Reason
from webhook.serving.metrics import REJECTIONS, Metrics


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("endpoint", Endpoint)
def test_every_decision_has_a_series_of_its_own(endpoint: Endpoint, reason: Reason) -> None:
    metrics = Metrics()
    metrics.count_decision(endpoint, reason, 0.001)
    labels = f'endpoint="{endpoint}",outcome="{reason.outcome}",reason="{reason.slug}"'
    counted = [line for line in decisions(metrics) if not line.endswith(" 0.0")]
    assert counted == [f"dind_webhook_decisions_total{{{labels}}} 1.0"]
    assert len(decisions(metrics)) == len(Endpoint) * len(Reason)


def exposed(metrics: Metrics) -> str:
    """What Prometheus reads."""
    return generate_latest(metrics.registry).decode()


def decisions(metrics: Metrics) -> list[str]:
    """The series of decisions, with their values."""
    lines = exposed(metrics).splitlines()
    return [line for line in lines if line.startswith("dind_webhook_decisions_total{")]


def test_durations_are_counted_in_buckets() -> None:
    metrics = Metrics()
    for seconds in (0.00005, 0.0001, 0.0003, 7):
        metrics.count_decision(Endpoint.POD, Reason.INJECTED, seconds)
    name = "dind_webhook_request_duration_seconds"
    lines = exposed(metrics).splitlines()
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


def test_every_reason_of_rejections_is_used() -> None:
    """A counter that never counts would promise what the service does not tell apart."""
    used = {
        node.value
        for module in Path(serving.__path__[0]).glob("*.py")
        if module.stem != "metrics"
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(REJECTIONS) <= used


def test_services_in_one_process_do_not_share_metrics() -> None:
    first, second = Metrics(), Metrics()
    first.rejected["error"].inc()
    line = 'dind_webhook_rejected_requests_total{reason="error"}'
    assert line + " 1.0" in exposed(first)
    assert line + " 0.0" in exposed(second)
