"""`webhooks[]` as the chart makes them: which pods the API server sends to which endpoint.

tools/chart.py writes `WEBHOOKS` into the chart (files/webhooks.json), whose template renders it.

The API server does the filtering: it never calls the webhook for pods that did not opt in. The
selectors exclude each other by the namespace's label. A pod without annotations has no
`metadata.annotations`, and CEL fails on absent fields, which `failurePolicy: Fail` would turn into
a denial: so every expression tests with has() first.
"""

from typing import Any

from webhook.injection.optin import INJECT, MIRROR_POD, Endpoint

_ANNOTATED = "has(object.metadata.annotations)"
_SET = f"'{INJECT}' in object.metadata.annotations"
_NOT_FALSE = f"object.metadata.annotations['{INJECT}'] != 'false'"
_OPTED_IN = f"{_ANNOTATED} && {_SET} && {_NOT_FALSE}"
_NOT_OPTED_OUT = f"!{_ANNOTATED} || !({_SET}) || {_NOT_FALSE}"


def _webhook(endpoint: Endpoint, operator: str, labels: list[str], opted_in: str) -> dict[str, Any]:
    not_mirror = f"!{_ANNOTATED} || !('{MIRROR_POD}' in object.metadata.annotations)"
    return {
        "endpoint": endpoint.value,
        "label": {"key": INJECT, "operator": operator, "values": labels},
        "matchConditions": [
            {"name": "not-a-mirror-pod", "expression": not_mirror},
            {"name": "opted-in", "expression": opted_in},
        ],
    }


WEBHOOKS = [
    _webhook(Endpoint.POD, "NotIn", ["true", "false"], _OPTED_IN),
    _webhook(Endpoint.NAMESPACE, "In", ["true"], _NOT_OPTED_OUT),
    _webhook(Endpoint.FORBIDDEN, "In", ["false"], _OPTED_IN),
]
