"""When a bundle was published, read from what the API server noted."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from certs.objects import FIELD_MANAGER, registration_in

BUNDLE = base64.b64encode(b"trusted").decode()
OURS: dict[str, Any] = {
    "f:webhooks": {'k:{"name":"pod.dind.io"}': {"f:clientConfig": {"f:caBundle": {}}}}
}


def _configuration(*managed: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": list(managed)},
        "webhooks": [{"name": "pod.dind.io", "clientConfig": {"caBundle": BUNDLE}}],
    }


def _entry(manager: str, operation: str, **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": OURS, **more}


@pytest.mark.parametrize(
    ("managed", "applied"),
    [
        (
            [_entry(FIELD_MANAGER, "Apply", time="2026-01-02T00:00:00Z")],
            datetime(2026, 1, 2, tzinfo=UTC),
        ),
        (
            [
                _entry(FIELD_MANAGER, "Apply"),
                _entry("edit", "Update", time="2026-01-03T00:00:00Z"),
            ],
            datetime(2026, 1, 3, tzinfo=UTC),
        ),
        ([_entry(FIELD_MANAGER, "Apply")], datetime(2026, 1, 1, tzinfo=UTC)),
    ],
    ids=["with its time", "without, after somebody's change", "without any"],
)
def test_a_publication_is_dated_even_where_somebody_dropped_its_time(
    managed: list[dict[str, Any]], applied: datetime
) -> None:
    """Never too early: a date that is missing must not make a bundle look settled."""
    registration = registration_in(_configuration(*managed))
    assert registration.applied == applied
    assert registration.bundles == {"pod.dind.io": b"trusted"}


def test_a_publication_of_somebody_elses_is_none_of_ours() -> None:
    managed = _entry("kubectl", "Apply", time="2026-01-02T00:00:00Z")
    assert registration_in(_configuration(managed)).applied is None
