"""Request bodies that no API server sends, made from a valid review."""

import itertools
import json
from typing import Any

from service.reviews import pod, review

MIB = 1024 * 1024
LIMIT = 7 * MIB  # bytes of a body
DEEP = 100_000
DIGITS = "9" * (5 * MIB)
#: Characters that need no escape in JSON, for the shortest different keys.
_PLAIN = [chr(code) for code in range(0x20, 0x80) if chr(code) not in '"\\']


def object_with_keys(count: int, value: str = "0") -> str:
    """An object with so many different keys, in the fewest bytes."""
    words = itertools.chain.from_iterable(
        itertools.product(_PLAIN, repeat=length) for length in itertools.count()
    )
    members = (f'"{"".join(word)}":{value}' for word in itertools.islice(words, count))
    return "{" + ",".join(members) + "}"


def nested(opening: str, closing: str, inside: str = "", depth: int = DEEP) -> str:
    """Nested arrays or objects."""
    return opening * depth + inside + closing * depth


def with_field(path: str, value: str) -> bytes:
    """A valid review in which one field is added or replaced.

    Args:
        path: of the field: keys and indexes, separated by spaces.
        value: JSON, inserted as it is.
    """
    whole: Any = review(full_pod())
    inner = whole
    *parents, last = path.split()
    for parent in parents:
        inner = inner[int(parent)] if isinstance(inner, list) else inner[parent]
    inner[last] = "<value>"
    return compact(whole).replace(b'"<value>"', value.encode())


def compact(value: Any) -> bytes:
    """Write JSON as the API server does."""
    return json.dumps(value, separators=(",", ":")).encode()


def replaced(old: bytes, new: bytes) -> bytes:
    """A valid review in which one piece of text is replaced."""
    text = compact(review(full_pod()))
    assert old in text
    return text.replace(old, new, 1)


def full_pod() -> dict[str, Any]:
    """A pod in which no object that the service reads is empty."""
    subject = pod(
        {"dind.io/inject": "true"},
        volumes=[{"name": "work", "hostPath": {"path": "/srv"}}],
        securityContext={"supplementalGroups": [1]},
        imagePullSecrets=[{"name": "registry"}],
        nodeSelector={"kubernetes.io/os": "linux"},
        os={"name": "linux"},
    )
    subject["metadata"] |= {
        "labels": {"app": "ci"},
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "job", "uid": "1"}],
    }
    subject["spec"]["containers"][0] |= {
        "env": [{"name": "DOCKER_HOST", "value": "tcp://localhost:2375"}],
        "resources": {"limits": {"cpu": "1"}},
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
    }
    return subject
