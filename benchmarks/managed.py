"""`managedFields`: who set which field, as the API server keeps it with every object.

Source: sigs.k8s.io/structured-merge-diff, the format FieldsV1. A list is either a map by its keys
(containers by name, mounts by path) or one value as a whole (command, args, tolerations).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort", "protocol"),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_UNMANAGED = ("apiVersion", "kind")
_UNMANAGED_METADATA = ("name", "namespace")
# An empty pod has these already, so nobody is said to have added them.
_ALWAYS_THERE = ("metadata", "spec", "containers")


def managed_fields(resource: Mapping[str, Any], manager: str, time: str) -> list[dict[str, Any]]:
    """The endpoint of a manager that set every field of an object.

    Args:
        resource: the object, without managedFields.
        manager: name of the program, by its user agent.
        time: when, in RFC 3339.
    """
    fields = {key: value for key, value in resource.items() if key not in _UNMANAGED}
    fields["metadata"] = {
        key: value for key, value in fields["metadata"].items() if key not in _UNMANAGED_METADATA
    }
    endpoint = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": resource["apiVersion"],
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": _of_object(fields),
    }
    return [endpoint]


def _of_object(value: Mapping[str, Any]) -> dict[str, Any]:
    return _sorted({f"f:{name}": _of_field(name, inner) for name, inner in value.items()})


def _of_field(name: str, value: object) -> dict[str, Any]:
    itself: dict[str, Any] = {} if name in _ALWAYS_THERE else {".": {}}
    if isinstance(value, dict) and value:
        return itself | _of_object(value)
    if isinstance(value, list) and name in _KEYS:
        return itself | _of_map(value, _KEYS[name])
    return {}


def _of_map(items: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, Any]:
    return _sorted(
        {
            "k:" + _compact({key: item[key] for key in keys}): {".": {}} | _of_object(item)
            for item in items
        }
    )


def _sorted(fields: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(fields.items()))


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
