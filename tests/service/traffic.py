"""Reviews that go on while something happens: the proof that nothing was lost meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from kube.waiting import until
from service.reviews import review
from service.running import RunningService


class Traffic:
    """Two senders, of which one keeps its connection and one dials for every review.

    Attributes:
        failures: what went wrong, one line each; empty as long as every review was answered.
        answered: reviews answered so far, by sender.
    """

    def __init__(self, service: RunningService) -> None:
        self.failures: list[str] = []
        self.answered = {"kept": 0, "new": 0}
        self._service = service
        self._ended = threading.Event()

    def go_on(self, count: int = 20) -> None:
        """Wait for that many more answers to each sender, or for a failure."""
        wanted = {name: done + count for name, done in self.answered.items()}
        until(
            lambda: bool(self.failures) or all(self.answered[n] >= wanted[n] for n in wanted),
            "traffic to go on",
        )

    def end(self) -> None:
        """Tell the senders to send no more."""
        self._ended.set()

    def keep_sending(self) -> None:
        """Send over one connection, as far as the service lets us."""
        with self._client() as client:
            self._send("kept", lambda: self._post(client))

    def dial_and_send(self) -> None:
        """Send each review over a connection of its own."""

        def post() -> httpx.Response:
            with self._client() as client:
                return self._post(client)

        self._send("new", post)

    def _send(self, sender: str, post: Callable[[], httpx.Response]) -> None:
        while not self._ended.is_set():
            try:
                problem = _problem(post())
            except httpx.TransportError as error:
                problem = repr(error)
            if problem:
                self.failures.append(f"{sender} connection: {problem}")
                return
            self.answered[sender] += 1

    def _client(self) -> httpx.Client:
        url = f"https://127.0.0.1:{self._service.port}"
        return httpx.Client(base_url=url, verify=self._service.context, trust_env=False)

    def _post(self, client: httpx.Client) -> httpx.Response:
        return client.post("/inject/pod", json=review())


def _problem(answer: httpx.Response) -> str | None:
    if answer.status_code != 200:
        return f"status {answer.status_code}: {answer.text}"
    response: dict[str, Any] = answer.json()["response"]
    return None if response["allowed"] else str(response)


@contextmanager
def traffic(service: RunningService) -> Iterator[Traffic]:
    """Send while the block runs, and a few reviews before it."""
    running = Traffic(service)
    threads = [
        threading.Thread(target=send) for send in (running.keep_sending, running.dial_and_send)
    ]
    for thread in threads:
        thread.start()
    try:
        running.go_on(2)
        yield running
    finally:
        running.end()
        for thread in threads:
            thread.join()
