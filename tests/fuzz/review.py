"""From a request's body to the answer: a decision that the API server takes, or a BadRequest."""

import base64
import io
import json
import random
import sys
from typing import Any

import jsonpatch
import msgspec
from examples.loading import all_examples
from fuzz import mutation, rules
from golden.cases import cases
from property.generated import EVERY_ANNOTATION, NONSENSE, PATHS, READABLE, SOURCES, VARIABLES
from service.reviews import review

from webhook.config import Config
from webhook.injection import Endpoint, decide
from webhook.injection.pod import Pod
from webhook.serving import logs
from webhook.serving.metrics import Metrics
from webhook.serving.review import BadRequest, admission, decode
from webhook.serving.review import answer as answer_to
from webhook.serving.service import Service

#: Operator's files: all defaults, and one that lets pods ask for everything.
_FILES: list[dict[str, Any]] = [
    {},
    {
        "profiles": {"default": {}, "other": {"mode": "node"}},
        "policy": {"annotations": EVERY_ANNOTATION, "images": ["**"], "maximum": {"memory": "8Gi"}},
    },
]
_MESSAGE_LENGTH = 500  # characters; a line for people
_LOG = io.TextIOWrapper(io.BytesIO())
_SERVICES = [
    Service(Config.model_validate_json(json.dumps(file)), Metrics(), logs.configure(_LOG))
    for file in _FILES
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
                # Variables that are none pass as long as nobody looks for DOCKER_HOST among them.
                assert second is not None or not _has_types(body)
                if second is not None:
                    _patched(again, second)
    _LOG.buffer.truncate(0)
    _LOG.buffer.seek(0)


def _has_types(body: bytes) -> bool:
    """Tell whether the pod's fields that the core reads all have the types that they should."""
    try:
        msgspec.convert(msgspec.json.decode(body)["request"]["object"], Pod)
    except msgspec.ValidationError:
        return False
    return True


def _answer(service: Service, endpoint: Endpoint, body: bytes) -> bytes | None:
    try:
        return _remembered(service, endpoint, body)
    except BadRequest as caught:
        bad = caught
    assert bad.status == 400
    assert bad.message.isprintable(), bad.message
    assert len(bad.message) < _MESSAGE_LENGTH, bad.message
    return None


def _remembered(service: Service, endpoint: Endpoint, body: bytes) -> bytes:
    """Answer twice: a kind of pod is remembered then, and gets what the pod itself would."""
    answer = service.answer(endpoint, body)
    request = decode(body)
    decision = decide(admission(request, endpoint), service.config)
    assert service.answer(endpoint, body) == answer == answer_to(endpoint, decision).to(request.uid)
    return answer


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
