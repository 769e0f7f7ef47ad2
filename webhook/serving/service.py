"""The service between bytes and core: it decodes, decides, counts, logs and encodes."""

import time
from collections.abc import Mapping

from structlog.typing import FilteringBoundLogger

from webhook.injection import Decision, Entry, Injected, Refused, decide
from webhook.injection.config import Config
from webhook.serving import review
from webhook.serving.metrics import Metrics


class Service:
    """Answers reviews under the operator's file of the moment.

    Attributes:
        config: the operator's file; replaced as a whole when it changes.
        draining: the process is about to stop: not ready, and every answer closes its connection.
        in_flight: requests whose answer is not written yet.
        last_request: when the last request came, by time.perf_counter(), in seconds.
    """

    def __init__(self, config: Config, metrics: Metrics, log: FilteringBoundLogger) -> None:
        self.config = config
        self.metrics = metrics
        self.log = log
        self.draining = False
        self.in_flight = 0
        self.last_request = 0.0
        metrics.in_flight.set_function(lambda: self.in_flight)

    def answer(self, entry: Entry, body: bytes) -> bytes:
        """Answer one AdmissionReview.

        Args:
            entry: from the request's path.
            body: the review as JSON.

        Raises:
            review.BadRequest: it is not a review of a pod's creation.
        """
        self.last_request = started = time.perf_counter()
        request = review.decode(body)
        decision = decide(review.admission(request, entry), self.config)
        answer = review.encode(request.uid, entry, decision)
        self.metrics.decisions[entry, decision.reason].inc()
        elapsed = time.perf_counter() - started
        self.metrics.latency.observe(elapsed)
        self._log(request, entry, decision, elapsed)
        return answer

    def rejected(self, bad: review.BadRequest, path: str) -> None:
        """Count and log a request that gets no decision."""
        self.metrics.rejected[bad.why].inc()
        self.log.warning("rejected", why=bad.why, status=bad.status, path=path, message=bad.message)

    def failed(self, error: Exception, path: str) -> None:
        """Count and log an error of our own, with its traceback."""
        self.metrics.rejected["error"].inc()
        self.log.error("failed", path=path, exc_info=error)

    def _log(
        self, request: review.Request, entry: Entry, decision: Decision, elapsed: float
    ) -> None:
        pod = request.object
        assert pod is not None  # noqa: S101 - `review.decode` refused that
        metadata = pod.metadata
        owner = next(iter(metadata.owner_references or ()), None)
        fields: dict[str, object] = {
            "uid": request.uid,
            "namespace": request.namespace,
            "name": metadata.name or metadata.generate_name or "",
            "owner": f"{owner.kind}/{owner.name}" if owner else "",
            "entry": entry.value,
            "reason": decision.reason.slug,
            "milliseconds": round(elapsed * 1000, 3),
            **_details(decision),
        }
        if request.dry_run:
            fields["dry_run"] = True
        self.log.info(decision.reason.outcome.value, **fields)


def _details(decision: Decision) -> Mapping[str, object]:
    if isinstance(decision, Refused):
        return {"message": decision.message}
    details: dict[str, object] = {}
    if isinstance(decision, Injected):
        details.update(decision.audit)
    if decision.warnings:
        details["warnings"] = list(decision.warnings)
    return details
