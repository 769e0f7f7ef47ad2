"""`managedFields`: who set which field, as the API server stores it with every object.

Source: sigs.k8s.io/structured-merge-diff, the format FieldsV1. A list is either a map by its keys
(containers by name, mounts by path) or one value as a whole (command, args, tolerations).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

_LIST_KEYS: Mapping[str, Sequence[str]] = {
    "containers": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_UNMANAGED = {"apiVersion", "kind"}
_UNMANAGED_METADATA = {"name", "namespace"}
_IN_AN_EMPTY_POD = {"metadata", "spec", "containers"}  # so the manager did not add them


def managed_fields(pod: Mapping[str, Any], manager: str, time: str) -> list[dict[str, Any]]:
    """One entry, of a manager that set every field of a pod.

    Args:
        pod: without managedFields.
        manager: the client's name, from its user agent.
        time: when, in RFC 3339.
    """
    metadata = _without(pod["metadata"], _UNMANAGED_METADATA)
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": pod["apiVersion"],
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": _object_fields({**_without(pod, _UNMANAGED), "metadata": metadata}),
    }
    return [entry]


def _without(fields: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _object_fields(value: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted((f"f:{name}", _field(name, inner)) for name, inner in value.items()))


def _field(name: str, value: object) -> dict[str, Any]:
    itself: dict[str, Any] = {} if name in _IN_AN_EMPTY_POD else {".": {}}
    if isinstance(value, dict) and value:
        return itself | _object_fields(value)
    if isinstance(value, list) and name in _LIST_KEYS:
        return itself | _list_items(value, _LIST_KEYS[name])
    return {}


def _list_items(items: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, Any]:
    by_key = {
        "k:" + json.dumps({key: item[key] for key in keys}, separators=(",", ":")): item
        for item in items
    }
    return {key: {".": {}} | _object_fields(item) for key, item in sorted(by_key.items())}
