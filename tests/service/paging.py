"""The explain page as a process of its own, as the chart runs it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from kube.process import ServerProcess
from kube.waiting import until
from service.running import COMMAND


class RunningPage:
    """A process that serves the page.

    Attributes:
        process: the process.
        url: of the page.
        client: an HTTP client.
    """

    def __init__(self, process: ServerProcess, url: str) -> None:
        self.process = process
        self.url = url
        self.client = httpx.Client(base_url=url, trust_env=False, timeout=60)

    def explain(self, manifest: str, label: str = "unset", namespace: str = "") -> httpx.Response:
        """Send the form, as a browser does."""
        fields = {"manifest": manifest, "label": label, "namespace": namespace}
        return self.client.post("/", data=fields)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of its log of one event so far."""
        return _events(self.process, name)


def _events(process: ServerProcess, name: str) -> list[dict[str, Any]]:
    lines = process.log.read_bytes().splitlines(keepends=True)
    parsed = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return [line for line in parsed if line["event"] == name]


@contextmanager
def running_page(directory: Path, *arguments: str | Path) -> Iterator[RunningPage]:
    """Run the page while the block runs; its log is written in the directory."""
    flags = ("--host", "127.0.0.1", "--port", "0", "--poll-interval", "0.05")
    process = ServerProcess(
        [COMMAND, "explain-page", *flags, "--quiet-period", "0.2", *arguments], directory
    )
    try:
        until(lambda: process.ended or bool(_events(process, "serving")), "the page to serve")
        (line,) = _events(process, "serving")
        page = RunningPage(process, f"http://{line['page']}")
        with page.client:
            yield page
    finally:
        process.stop()
