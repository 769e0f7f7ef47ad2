"""What an administrator reads in the log."""

import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from service.reviews import pod, review
from service.running import COMMAND, CertificateDirectory, RunningService

OWNER = {"apiVersion": "batch/v1", "kind": "Job", "name": "build", "uid": "u", "controller": True}
FORGED = 'job\n{"event":"injected","reason":"forged"}\r\n\x1b[2Jforged'


def line_about(
    service: RunningService, asked: dict[str, Any], endpoint: str = "pod"
) -> dict[str, Any]:
    """The one line that a review causes."""
    written = len(service.events())
    service.ask(asked, endpoint)
    (line,) = service.events()[written:]  # written before the answer
    return line


def test_decisions_are_one_line(service: RunningService) -> None:
    subject = pod()
    subject["metadata"]["ownerReferences"] = [OWNER]
    asked = review(subject, namespace="team-a")
    line = line_about(service, asked, "namespace")
    assert line["event"] == "injected"
    assert line["level"] == "info"
    assert line["uid"] == asked["request"]["uid"]
    assert (line["namespace"], line["name"]) == ("team-a", "job-")
    assert (line["owner"], line["endpoint"], line["reason"]) == (
        "Job/build",
        "namespace",
        "injected",
    )
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])
    assert line["duration_ms"] > 0


def test_names_are_logged_rather_than_generate_names(service: RunningService) -> None:
    subject = pod({"dind.io/inject": "true"})
    subject["metadata"]["name"] = "job-7"
    assert line_about(service, review(subject))["name"] == "job-7"


def test_denied_pods_are_logged_with_the_users_message(service: RunningService) -> None:
    line = line_about(service, review(pod({"dind.io/inject": "yes"})))
    assert (line["event"], line["reason"]) == ("denied", "bad-value")
    assert 'annotation dind.io/inject: invalid value "yes"' in line["message"]


def test_dry_runs_are_marked(service: RunningService) -> None:
    assert line_about(service, review(dryRun=True))["dry_run"] is True
    assert "dry_run" not in line_about(service, review())


@pytest.mark.parametrize(
    "asked",
    [
        review(pod({"dind.io/inject": FORGED})),
        review(pod({"dind.io/inject": "true", "dind.io/profile": FORGED})),
        review(pod({"dind.io/inject": "true", f"dind.io/{FORGED}": ""})),
        review(namespace=FORGED),
        review({**pod(), "metadata": {"name": FORGED, "ownerReferences": [{"name": FORGED}]}}),
        review(pod({"dind.io/inject": "true"}, containers=[{"name": FORGED, "args": [FORGED]}])),
        review(uid=FORGED),
    ],
    ids=["value", "another value", "key", "namespace", "name and owner", "container", "uid"],
)
def test_lines_cannot_be_forged(service: RunningService, asked: dict[str, Any]) -> None:
    assert line_about(service, asked)["reason"] != "forged"


def test_fields_that_users_choose_are_cut_at_253_characters(service: RunningService) -> None:
    long = "x" * 100_000
    owner = {**OWNER, "kind": long, "name": long}
    subject = pod({"dind.io/inject": "true", "dind.io/profile": long, f"dind.io/{long}": long})
    subject["metadata"] |= {"name": long, "ownerReferences": [owner]}
    line = line_about(service, review(subject, uid=long))
    assert line["event"] == "denied"
    assert {key: len(line[key]) for key in ("uid", "name", "owner")} == {
        "uid": 253,
        "name": 253,
        "owner": 253,
    }
    assert len(json.dumps(line)) < 3000


@pytest.fixture
def terminal(certificates: CertificateDirectory) -> Iterator["Terminal"]:
    """A service whose stderr is a terminal."""
    ours, theirs = pty.openpty()
    flags = ["--host", "127.0.0.1", "--port", "0", "--admin-port", "0"]
    command: list[str | Path] = [COMMAND, "serve", *flags, "--tls-dir", certificates.path]
    with (
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=theirs) as process,
        os.fdopen(ours, "rb", buffering=0) as screen,
    ):
        os.close(theirs)
        try:
            yield Terminal(screen.fileno())
        finally:
            process.kill()


class Terminal:
    """Reads what a terminal would show."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unread = b""

    def line(self) -> str:
        """The next line, as written, colours and all."""
        while b"\r\n" not in self._unread:
            self._unread += os.read(self._descriptor, 4096)
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line.decode()


def without_colour(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_terminals_get_readable_lines_that_cannot_be_forged(terminal: Terminal) -> None:
    serving = without_colour(terminal.line())
    with pytest.raises(json.JSONDecodeError):
        json.loads(serving)
    address = re.search(r"webhook=(\S+)", serving)
    assert address
    url = f"https://{address[1]}/inject/pod"
    asked = review(namespace=FORGED, uid="an-uid")
    # The certificate is not what this test is about.
    httpx.post(url, json=asked, verify=False, trust_env=False).raise_for_status()
    line = without_colour(terminal.line())
    assert line.isprintable()
    for part in ("injected", "uid=an-uid", "reason=injected", r"namespace='job\\n{", r"forged'"):
        assert part in line
