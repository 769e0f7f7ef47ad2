"""A plain prototype, to compare with: FastAPI's route, msgspec, metrics, one log line, no policy.

It gives every pod the same sidecar without looking at what the pod is, in the way that one would
write it first: `python -m benchmarks.prototype FOLDER`, as the echo.
"""

import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from msgspec import Struct
from prometheus_client import Counter, Histogram

from benchmarks.echo import serve
from webhook.injection import sidecar
from webhook.injection.config import Profile
from webhook.injection.pod import Container, Pod


class AdmissionRequest(Struct):
    """As much as a prototype reads."""

    uid: str
    object: Pod
    namespace: str = ""


class Review(Struct):
    """An AdmissionReview."""

    request: AdmissionRequest


_DECODER = msgspec.json.Decoder(Review)
_ENCODER = msgspec.json.Encoder()
_DECISIONS = Counter("prototype_decisions", "Decisions.", ["outcome"])
_LATENCY = Histogram("prototype_seconds", "Time of a decision.")
_VOLUMES = (
    {"name": "cache-dir", "emptyDir": {}},
    {"name": "dind-storage", "emptyDir": {"sizeLimit": "20Gi"}},
)


def _as_json(event: Any, **_more: Any) -> str:  # noqa: ANN401 - structlog's serializer
    return _ENCODER.encode(event).decode()


structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=_as_json),
    ],
    logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    cache_logger_on_first_use=True,
)
_LOG = structlog.get_logger()
app = FastAPI(openapi_url=None)


@app.post("/inject/{entry}")
async def inject(entry: str, request: Request) -> Response:
    """Answer one review."""
    started = time.perf_counter()
    review = _DECODER.decode(await request.body()).request
    answer = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": review.uid,
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": _ENCODER.encode(_patch(review.object)),
        },
    }
    body = _ENCODER.encode(answer)
    _DECISIONS.labels("injected").inc()
    _LATENCY.observe(time.perf_counter() - started)
    _LOG.info("injected", uid=review.uid, namespace=review.namespace, entry=entry)
    return Response(body, media_type="application/json")


def _patch(pod: Pod) -> list[dict[str, Any]]:
    patch: list[dict[str, Any]] = []
    for index, container in enumerate(pod.containers):
        patch += _socket(f"/spec/containers/{index}", container)
    daemon = sidecar.container(
        *(Profile(), "/var/run", "cache-dir", "dind-storage"), storage_is_limited=False
    )
    patch.append(_append("/spec/initContainers", pod.spec.init_containers, daemon))
    patch += [_append("/spec/volumes", pod.spec.volumes, volume) for volume in _VOLUMES]
    return patch


def _socket(pointer: str, container: Container) -> list[dict[str, Any]]:
    mount = {"name": "cache-dir", "mountPath": "/var/run"}
    host = {"name": "DOCKER_HOST", "value": "unix:///var/run/docker.sock"}
    return [
        _append(f"{pointer}/volumeMounts", container.volume_mounts, mount),
        _append(f"{pointer}/env", container.env, host),
    ]


def _append(path: str, present: object, value: object) -> dict[str, Any]:
    if present is None:
        return {"op": "add", "path": path, "value": [value]}
    return {"op": "add", "path": f"{path}/-", "value": value}


if __name__ == "__main__":
    serve(app, Path(sys.argv[1]))
