"""Health and metrics, over plain HTTP on a port of their own."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from service.reviews import pod, review
from service.running import RunningService

from webhook.injection import Endpoint, Reason


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_running_service_is_healthy_and_ready(service: RunningService, path: str) -> None:
    answer = service.admin.get(path)
    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_metrics_have_names_types_and_help(service: RunningService) -> None:
    answer = service.admin.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert all(family.documentation for family in families.values())
    assert {name: family.type for name, family in families.items()} == {
        "dind_webhook_decisions": "counter",
        "dind_webhook_request_duration_seconds": "histogram",
        "dind_webhook_incomplete_requests": "gauge",
        "dind_webhook_rejected_requests": "counter",
        "dind_webhook_certificate_expiry_timestamp_seconds": "gauge",
        "dind_webhook_certificate_reloads": "counter",
        "dind_webhook_configuration_reloads": "counter",
    }


def series(service: RunningService) -> set[str]:
    """Names and labels of all series."""
    lines = service.admin.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def test_every_series_exists_from_the_start(own_service: RunningService) -> None:
    """So that `rate` sees the first event; requests add no series."""
    before = series(own_service)
    for endpoint in Endpoint:
        for reason in Reason:
            labels = f'endpoint="{endpoint}",outcome="{reason.outcome}",reason="{reason.slug}"'
            assert f"dind_webhook_decisions_total{{{labels}}}" in before
    forging = {"dind.io/inject": 'x",reason="y', "dind.io/profile": "mine", "dind.io/new": "\n"}
    for endpoint in Endpoint:
        own_service.ask(review(pod(forging), namespace="of-a-user"), endpoint.value)
    for path in ("/inject/pod", "/of-a-user"):
        own_service.client.post(path, content=b"{}", headers={"content-type": "of-a/user"})
    assert series(own_service) == before


def test_labels_have_no_values_that_users_choose(service: RunningService) -> None:
    service.ask(review(pod({"dind.io/inject": "true"}), namespace="of-a-user"))
    text = "".join(series(service))
    assert set(re.findall(r'(\w+)="', text)) == {
        "endpoint",
        "outcome",
        "reason",
        "result",
        "le",
    }
    assert "of-a-user" not in text


def test_the_admin_port_does_not_serve_the_webhook(service: RunningService) -> None:
    assert service.admin.post("/inject/pod", json=review()).status_code == 404


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/docs", "/openapi.json"])
def test_the_webhooks_port_does_not_serve_admin_paths(service: RunningService, path: str) -> None:
    assert service.client.get(path).status_code == 404
