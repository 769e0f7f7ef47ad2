"""From a request's body to the answer: a decision that the API server takes, or a BadRequest."""

import base64
import io
import json
import random
import sys
from typing import Any

import jsonpatch
from examples.loading import all_examples
from fuzz import mutation, rules
from golden.cases import cases
from property.generated import EVERY_ANNOTATION, NONSENSE, PATHS, READABLE, SOURCES, VARIABLES
from service.reviews import review

from webhook.config import Config
from webhook.injection import Endpoint
from webhook.logs import configure_logging
from webhook.serving.metrics import Metrics
from webhook.serving.review import BadRequest
from webhook.serving.service import Service

#: Configuration files: all defaults, and one under which pods may ask for everything.
_FILES: list[dict[str, Any]] = [
    {},
    {
        "profiles": {"default": {}, "other": {"mode": "node"}},
        "policy": {"annotations": EVERY_ANNOTATION, "images": ["**"], "maximum": {"memory": "8Gi"}},
    },
]
_MESSAGE_LENGTH = 500  # characters
_LOG = io.TextIOWrapper(io.BytesIO())
_LOGGER = configure_logging(_LOG)
_SERVICES = [
    Service(Config.model_validate_json(json.dumps(file)), Metrics(), _LOGGER) for file in _FILES
]
_NASTY: list[Any] = [
    *NONSENSE,
    *PATHS,
    *SOURCES,
    *VARIABLES,
    *(value for values in READABLE.values() for value in values),
    *("true", "false", "CREATE", "UPDATE", "Always", "dind", "cache-dir", "linux", "windows"),
    "kube-api-access-x",
]


def run(body: bytes) -> None:
    """Ask every endpoint under every configuration file, and again for the pod that it makes.

    Raises:
        AssertionError: an answer breaks a rule of the API server's.
        Exception: whatever else the service raises beside BadRequest.
    """
    for service in _SERVICES:
        for endpoint in Endpoint:
            answer = _answer(service, endpoint, body)
            again = None if answer is None else _patched(body, answer)
            if again is not None:
                second = _answer(service, endpoint, again)
                assert second is not None
                _patched(again, second)
    _LOG.buffer.truncate(0)
    _LOG.buffer.seek(0)


def _answer(service: Service, endpoint: Endpoint, body: bytes) -> bytes | None:
    try:
        return service.review(endpoint, body)
    except BadRequest as caught:
        bad = caught
    assert bad.status == 400
    assert bad.message.isprintable(), bad.message
    assert len(bad.message) < _MESSAGE_LENGTH, bad.message
    return None


def _patched(body: bytes, answer: bytes) -> bytes | None:
    """Check an answer, and put its patch into the review; None where it has none."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20 * limit)  # what the service reads, the checks can read
    try:
        broken = rules.faults(body, answer)
        assert not broken, broken
        response = json.loads(answer)["response"]
        if "patch" not in response:
            return None
        whole = json.loads(body)
        patch = json.loads(base64.b64decode(response["patch"]))
        jsonpatch.apply_patch(whole["request"]["object"], patch, in_place=True)
        return mutation.compact(whole)
    finally:
        sys.setrecursionlimit(limit)


def seeds() -> list[bytes]:
    """Reviews of the pods that other tests know."""
    subjects = [case.pod for case in cases()]
    subjects += [subject for example in all_examples() for subject in example.pods()]
    uid = "00000000-0000-0000-0000-000000000001"
    return [mutation.compact(review(subject, uid=uid)) for subject in subjects]


_DONORS = [json.loads(seed) for seed in seeds()]


def mutate(text: bytes, most: int, seed: int) -> bytes | None:
    """Change a review as JSON; None where it is none, or would get too long."""
    return mutation.mutated(text, most, random.Random(seed), _NASTY, _DONORS)
