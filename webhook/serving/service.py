"""What the routes call: decode a review, decide, count, log, and encode the answer."""

import time
from collections.abc import Sequence

from webhook.config import Config
from webhook.injection import Admission, Decision, Denied, Endpoint, Injected, decide
from webhook.logs import Logger
from webhook.serving.metrics import Metrics
from webhook.serving.review import BadRequest, Request, decode, encode

#: Characters of a log line's field whose text a user chooses, as Kubernetes bounds a name.
_LONGEST_FIELD = 253


class Service:
    """Answers AdmissionReviews with the current configuration.

    Attributes:
        config: the configuration; replaced as a whole when its file changes.
        metrics: what is counted.
        log: one line for each decision.
        draining: the process is about to stop: it is not ready, and each response closes its
            connection.
        last_request: when the last review came, by time.perf_counter(), in seconds.
    """

    def __init__(self, config: Config, metrics: Metrics, log: Logger) -> None:
        self.config = config
        self.metrics = metrics
        self.log = log
        self.draining = False
        self.last_request = 0.0

    def review(self, endpoint: Endpoint, body: bytes) -> bytes:
        """Answer one AdmissionReview.

        Args:
            endpoint: of the request's path.
            body: the review as JSON.

        Returns:
            The AdmissionReview with the response, as JSON.

        Raises:
            BadRequest: it is not a review of a pod's CREATE request.
        """
        self.last_request = started = time.perf_counter()
        request = decode(body)
        decision = decide(Admission(endpoint, request.namespace, request.pod), self.config)
        answer = encode(request.uid, endpoint, decision)
        seconds = time.perf_counter() - started
        self.metrics.count_decision(endpoint, decision.reason, seconds)
        self._log_decision(request, endpoint, decision, seconds)
        return answer

    def reject(self, bad: BadRequest, path: str) -> None:
        """Count and log a request that gets no decision."""
        self.metrics.rejected[bad.reason].inc()
        self.log.warning(
            "request rejected",
            reason=bad.reason,
            status=bad.status,
            path=_shortened(path),
            message=bad.message,
        )

    def _log_decision(
        self, request: Request, endpoint: Endpoint, decision: Decision, seconds: float
    ) -> None:
        metadata = request.pod.metadata
        owner = metadata.owner_references[0] if metadata.owner_references else None
        fields: dict[str, object] = {
            "uid": _shortened(request.uid),
            "namespace": _shortened(request.namespace),
            "name": _shortened(metadata.name or metadata.generate_name or ""),
            "owner": _shortened(f"{owner.kind}/{owner.name}") if owner else "",
            "endpoint": endpoint,
            "reason": decision.reason.slug,
            "duration_ms": round(seconds * 1000, 3),
        }
        if request.dry_run:
            fields["dry_run"] = True
        match decision:
            case Denied():
                fields["message"] = decision.message
            case Injected():
                audit = decision.audit
                fields.update(profile=audit.profile, mode=audit.mode, image=_shortened(audit.image))
        warnings: Sequence[str] = () if isinstance(decision, Denied) else decision.warnings
        if warnings:
            fields["warnings"] = warnings
        self.log.info(decision.reason.outcome, **fields)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_FIELD else text[: _LONGEST_FIELD - 3] + "..."
