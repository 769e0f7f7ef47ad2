"""What counts of Kubernetes objects."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from certs.objects import ready_pods, registration_in, secret_in, written_at
from certs.state import Registration

MADE, CHANGED = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def _configuration(*managed: dict[str, Any], entries: tuple[str, ...] = ("a", "b")) -> Any:
    bundle = base64.b64encode(b"pem").decode()
    return {
        "metadata": {"managedFields": list(managed)},
        "webhooks": [{"name": name, "clientConfig": {"caBundle": bundle}} for name in entries],
    }


def _managed(*entries: str, by: str = "dind-certs", how: str = "Apply") -> dict[str, Any]:
    bundle: dict[str, Any] = {"f:clientConfig": {"f:caBundle": {}}}
    fields = {f'k:{{"name":"{entry}"}}': bundle for entry in entries}
    return {"manager": by, "operation": how, "time": CHANGED, "fieldsV1": {"f:webhooks": fields}}


@pytest.mark.parametrize(
    ("managed", "ours"),
    [
        ([_managed("a", "b")], True),
        ([_managed("a", "b", by="helm"), _managed("a", "b")], True),
        ([_managed("a")], False),
        ([_managed("a", "b", how="Update")], False),
        ([_managed("a", "b", by="helm")], False),
        ([], False),
    ],
    ids=["all", "beside-another", "one-of-two", "not-applied", "another's", "nobody's"],
)
def test_the_time_of_publication_is_known_if_every_bundle_is_ours(
    managed: list[dict[str, Any]], ours: bool
) -> None:
    applied = datetime(2026, 1, 2, tzinfo=UTC) if ours else None
    bundles = {"a": b"pem", "b": b"pem"}
    assert registration_in(_configuration(*managed)) == Registration(bundles, applied)


def test_a_configuration_may_have_no_entries_and_entries_no_bundle() -> None:
    assert registration_in({"metadata": {}}) == Registration({}, None)
    bare = {"metadata": {}, "webhooks": [{"name": "a", "clientConfig": {}}]}
    assert registration_in(bare) == Registration({"a": b""}, None)


def test_a_secret_was_written_when_anybody_last_changed_it() -> None:
    metadata = {"creationTimestamp": MADE}
    assert written_at({"metadata": metadata}) == datetime(2026, 1, 1, tzinfo=UTC)
    managed = [{"time": MADE}, {"time": CHANGED}, {}]
    changed = {"metadata": metadata | {"managedFields": managed}}
    assert written_at(changed) == datetime(2026, 1, 2, tzinfo=UTC)


def test_a_secret_may_be_empty() -> None:
    assert secret_in({}) == {}
    assert secret_in({"data": {"a": "YQ==", "b": ""}}) == {"a": b"a", "b": b""}


def _pod(name: str, ready: str = "True", **metadata: str) -> dict[str, Any]:
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": ready}]
    status = {"podIP": "10.0.0.1", "conditions": conditions}
    return {"metadata": {"name": name, **metadata}, "status": status}


def test_ready_pods_are_those_that_requests_are_sent_to() -> None:
    pods = [
        _pod("ready"),
        _pod("starting", ready="False"),
        _pod("leaving", deletionTimestamp=CHANGED),
        {"metadata": {"name": "pending"}, "status": {}},
        {"metadata": {"name": "new"}},
    ]
    assert list(ready_pods({"items": pods})) == [("ready", "10.0.0.1")]
