"""Bodies as no API server writes them, made of a good review."""

import itertools
import json
from typing import Any

from service.reviews import pod, review

MIB = 1024 * 1024
LIMIT = 7 * MIB  # bytes of a body
DEEP = 100_000
DIGITS = "9" * (5 * MIB)
#: Characters that JSON takes as they are, for keys that are as short as different keys can be.
_PLAIN = [chr(code) for code in range(0x20, 0x80) if chr(code) not in '"\\']


def crowded(count: int, value: str = "0") -> str:
    """An object of so many different keys, in the fewest bytes."""
    words = itertools.chain.from_iterable(
        itertools.product(_PLAIN, repeat=length) for length in itertools.count()
    )
    members = (f'"{"".join(word)}":{value}' for word in itertools.islice(words, count))
    return "{" + ",".join(members) + "}"


def nested(opening: str, closing: str, inside: str = "", depth: int = DEEP) -> str:
    """A value within others."""
    return opening * depth + inside + closing * depth


def put(path: str, value: str) -> bytes:
    """A good review that has one more field, or another value of one.

    Args:
        path: of the field: keys and indexes with spaces between them.
        value: JSON, as it is to stand in the text.
    """
    whole = review(full_pod())
    inner, last = _found(whole, path)
    inner[last] = "<value>"
    return compact(whole).replace(b'"<value>"', value.encode())


def twice(path: str, value: str | None = None, spelling: str | None = None) -> bytes:
    """A good review with a key twice in one object, first with this value and then as it was.

    Args:
        path: of the key, which is there already.
        value: JSON; None is the value that is there.
        spelling: of the first key, as it stands in the text.
    """
    whole = review(full_pod())
    inner, key = _found(whole, path)
    first = compact(inner[key]).decode() if value is None else value
    original = dict(inner)
    inner.clear()
    inner |= {"<first>": 0, **original}
    text = compact(whole).decode()
    return text.replace('"<first>":0', f'"{spelling or key}":{first}').encode()


def _found(whole: Any, path: str) -> tuple[Any, str]:
    *parents, last = path.split()
    for parent in parents:
        whole = whole[int(parent)] if isinstance(whole, list) else whole[parent]
    return whole, last


def compact(value: Any) -> bytes:
    """Write JSON as the API server does."""
    return json.dumps(value, separators=(",", ":")).encode()


def replaced(old: bytes, new: bytes) -> bytes:
    """A good review of which one piece of text is replaced."""
    text = compact(review(full_pod()))
    assert old in text
    return text.replace(old, new, 1)


def full_pod() -> dict[str, Any]:
    """A pod in which every object that the service reads has something in it."""
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
