"""What tests ask of the service, whether it runs as a process or in the process of the test."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx


class HTTPClient(Protocol):
    """The part of httpx.Client that is used."""

    @property
    def request(self) -> Callable[..., httpx.Response]:
        """Sends a request, and returns its answer."""
        ...


class ServiceUnderTest:
    """The webhook and its admin port.

    Attributes:
        client: an HTTP client of the webhook; paths such as /inject/pod.
        admin: an HTTP client of the admin port.
    """

    client: HTTPClient
    admin: HTTPClient

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The lines of its log so far, of one event or of all."""
        raise NotImplementedError

    def metric(self, name: str, **labels: str) -> float:
        """The value of one series, the sum over those that have the given labels."""
        total = 0.0
        for line in self.admin.request("GET", "/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] != name:
                continue
            if all(f'{label}="{wanted}"' in series for label, wanted in labels.items()):
                total += float(value)
        return total

    def decisions(self) -> int:
        """How many reviews it has decided."""
        return int(self.metric("dind_webhook_decisions_total"))

    def ask(self, review: Mapping[str, Any], endpoint: str = "pod") -> dict[str, Any]:
        """The response of the AdmissionReview that answers one."""
        answer = self.client.request("POST", f"/inject/{endpoint}", json=review)
        answer.raise_for_status()
        response: dict[str, Any] = answer.json()["response"]
        return response
