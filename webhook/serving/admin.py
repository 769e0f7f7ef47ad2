"""The admin port: `GET /healthz`, `/readyz` and `/metrics`, in plain text."""

from collections.abc import Callable, Sequence

from webhook.serving.endpoint import TEXT, Header, HttpEndpoint, closing, response
from webhook.serving.heads import Head
from webhook.serving.metrics import CONTENT_TYPE
from webhook.serving.review import BadRequest
from webhook.serving.service import Service

Page = Callable[[], tuple[int, bytes, bytes]]  # status, content type, body


class AdminEndpoint(HttpEndpoint):
    """Health for the kubelet, metrics for Prometheus; over plain HTTP, on a port of its own."""

    method = b"GET"

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._pages: dict[bytes, Page] = {
            b"/healthz": _healthy,
            b"/readyz": self._readiness,
            b"/metrics": self._metrics,
        }

    def accept(self, head: Head) -> Page:
        """Find the page.

        Raises:
            BadRequest: status 404 or 405.
        """
        page = self._pages.get(head.path)
        if page is None:
            paths = ", ".join(path.decode() for path in self._pages)
            raise BadRequest(404, "path", f"there is no such path; there are {paths}")
        self.check_method(head)
        return page

    def answer(
        self,
        target: Page,
        body: bytes,  # noqa: ARG002 - a GET has none
        headers: Sequence[Header],
        *,
        close: bool,
    ) -> bytes:
        """Answer with a page; the arguments are those of every endpoint.

        Who sees a decision in the metrics finds its line in the log.
        """
        self.service.log.flush()
        status, content_type, content = target()
        return response(status, content_type, content, closing(headers, close=close))

    def record(self, bad: BadRequest, path: str) -> None:
        """Pass over it: the metrics are about the webhook's own port."""

    def _readiness(self) -> tuple[int, bytes, bytes]:
        return (503, TEXT, b"stopping\n") if self.service.draining else _healthy()

    def _metrics(self) -> tuple[int, bytes, bytes]:
        return 200, CONTENT_TYPE.encode(), self.service.metrics.text()


def _healthy() -> tuple[int, bytes, bytes]:
    return 200, TEXT, b"ok\n"
