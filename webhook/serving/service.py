"""The service between bytes and core: it decodes, decides, counts, logs and encodes."""

import time
from datetime import UTC, datetime

from webhook.config import Config
from webhook.injection import Decision, Denied, Endpoint, Injected
from webhook.serving import review
from webhook.serving.answers import Answers
from webhook.serving.logs import Decided, Logger
from webhook.serving.metrics import Metrics
from webhook.serving.wire import Request


class Service:
    """Answers reviews under the operator's file of the moment.

    Attributes:
        draining: the process is about to stop: not ready, and every answer closes its connection.
        in_flight: requests that have begun to come and are not whole.
        waiting_bytes: what has come of their bodies.
        last_request: when the last request came, by time.perf_counter(), in seconds.
    """

    def __init__(self, config: Config, metrics: Metrics, log: Logger) -> None:
        self._answers = Answers(config)
        self.metrics = metrics
        self.log = log
        self.draining = False
        self.in_flight = 0
        self.waiting_bytes = 0
        self.last_request = 0.0
        metrics.in_flight.set_function(lambda: self.in_flight)

    @property
    def config(self) -> Config:
        """The operator's file; replaced as a whole when it changes."""
        return self._answers.config

    @config.setter
    def config(self, config: Config) -> None:
        self._answers = Answers(config)

    def answer(self, endpoint: Endpoint, body: bytes) -> bytes:
        """Answer one AdmissionReview.

        Args:
            endpoint: from the request's path.
            body: the review as JSON.

        Raises:
            review.BadRequest: it is not a review of a pod's creation.
        """
        self.last_request = started = time.perf_counter()
        request = review.decode(body)
        answered = self._answers.of(request, endpoint)
        answer = answered.to(request.uid)
        decision = answered.decision
        elapsed = time.perf_counter() - started
        self.metrics.decided(endpoint, decision.reason, elapsed)
        self._log(request, endpoint, decision, elapsed)
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
        self, request: Request, endpoint: Endpoint, decision: Decision, elapsed: float
    ) -> None:
        pod = request.object
        assert pod is not None  # noqa: S101 - `review.decode` refused that
        metadata = pod.metadata
        owner = metadata.owner_references[0] if metadata.owner_references else None
        line = Decided(
            event=decision.reason.outcome,
            uid=request.uid,
            namespace=request.namespace,
            name=metadata.name or metadata.generate_name or "",
            owner=f"{owner.kind}/{owner.name}" if owner else "",
            endpoint=endpoint,
            reason=decision.reason.slug,
            milliseconds=round(elapsed * 1000, 3),
            timestamp=datetime.now(UTC),
            level="info",
            dry_run=bool(request.dry_run),
        )
        if isinstance(decision, Denied):
            line.message = decision.message
        elif decision.warnings:
            line.warnings = decision.warnings
        if isinstance(decision, Injected):
            audit = decision.audit
            line.profile, line.mode, line.image = audit.profile, audit.mode, audit.image
        self.log.decided(line)
