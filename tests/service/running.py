"""The service as a process of its own, as users run it: the installed command, real TLS."""

import json
import os
import signal
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
from kube.process import ServerProcess
from kube.waiting import until
from service.asking import ServiceUnderTest
from service.mounting import MountedDirectory

from certs.issuing import KeyPair, issue_ca, issue_serving_certificate

COMMAND = Path(sys.executable).with_name("dind-webhook")


class CertificateDirectory:
    """A directory as the kubelet mounts a kubernetes.io/tls Secret: swapped as a whole.

    Attributes:
        path: of the directory.
        ca: the CA that issued its first certificate.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ca = issue_ca(datetime.now(UTC))
        self._directory = MountedDirectory(path, _files(*self.issue()))

    def issue(self, validity: timedelta = timedelta(days=1)) -> tuple[bytes, bytes]:
        """A certificate for 127.0.0.1 and its key, as PEM."""
        return _issue(self.ca, datetime.now(UTC), validity)

    def issue_expired(self) -> tuple[bytes, bytes]:
        """A certificate that expired a day ago, and its key, as PEM."""
        then = datetime.now(UTC) - timedelta(days=2)
        return _issue(issue_ca(then), then)

    def put(self, certificate: bytes, key: bytes) -> None:
        """Show other files, all at once."""
        self._directory.show(_files(certificate, key))

    def lose_key(self) -> None:
        """Show the certificate of a new pair without its key."""
        certificate, _ = self.issue()
        self._directory.show({"tls.crt": certificate})


def _files(certificate: bytes, key: bytes) -> dict[str, bytes]:
    return {"tls.crt": certificate, "tls.key": key}


def _issue(
    ca: KeyPair, now: datetime, validity: timedelta = timedelta(days=1)
) -> tuple[bytes, bytes]:
    issued = issue_serving_certificate(
        ca,
        now,
        dns_names=["localhost"],
        ip_addresses=[ip_address("127.0.0.1")],
        validity=validity,
    )
    return issued.pem, issued.key


class RunningService(ServiceUnderTest):
    """A process that serves.

    Attributes:
        port: of the webhook, on 127.0.0.1.
        ca: the CA of the first certificate that it serves.
        context: TLS context of a client that trusts `ca`.
        client: an HTTP client of the webhook; paths such as /inject/pod.
        admin: an HTTP client of the admin port.
        process: the process.
    """

    def __init__(self, process: ServerProcess, port: int, admin_port: int, ca: KeyPair) -> None:
        self.process = process
        self.port = port
        self.ca = ca
        self.context = ssl.create_default_context(cadata=ca.pem.decode())
        self.client: httpx.Client = httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=self.context, trust_env=False
        )
        self.admin: httpx.Client = httpx.Client(
            base_url=f"http://127.0.0.1:{admin_port}", trust_env=False
        )

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The lines of its log so far, of one event or of all."""
        lines = self.process.log.read_bytes().splitlines(keepends=True)
        parsed = [json.loads(line) for line in lines if line.endswith(b"\n")]
        return [line for line in parsed if name in (None, line["event"])]

    def await_event(self, name: str, count: int = 1, **fields: Any) -> list[dict[str, Any]]:
        """Wait for that many lines of the log that have the given fields; return all of them."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.events(name) if fields.items() <= line.items()]

        until(lambda: len(found()) >= count, f"{count} {name!r} in its log, with {fields}")
        return found()

    def await_metric(self, name: str, value: float, **labels: str) -> None:
        """Wait until a metric has a value."""
        until(lambda: self.metric(name, **labels) == value, f"{name} to be {value:g}")

    def exit_status(self) -> int:
        """Wait until it has ended by itself."""
        return self.process.wait(30)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)


@contextmanager
def running_service(
    directory: Path,
    certificates: CertificateDirectory,
    *arguments: str | Path,
    code: Path | None = None,
) -> Iterator[RunningService]:
    """Run the service while the block runs.

    Args:
        directory: directory for its log.
        certificates: what it serves.
        arguments: more of `dind-webhook serve`.
        code: directory with the packages of another version; None: the installed one.
    """
    process = start(directory, certificates.path, *arguments, code=code)
    try:
        until(lambda: bool(serving_lines(process)), "the service to serve")
        (line,) = serving_lines(process)
        ports = [int(line[key].rpartition(":")[2]) for key in ("webhook", "admin")]
        service = RunningService(process, ports[0], ports[1], certificates.ca)
        with service.client, service.admin:
            yield service
    finally:
        process.stop()


def start(
    directory: Path, tls_dir: Path, *arguments: str | Path, code: Path | None = None
) -> ServerProcess:
    """Start `dind-webhook serve` on loopback ports of the system's choice."""
    flags: Sequence[str | Path] = [
        *("--tls-dir", tls_dir, "--host", "127.0.0.1", "--port", "0", "--admin-port", "0"),
        *("--poll-interval", "0.05", "--quiet-period", "0.2"),
    ]
    if code is None:
        return ServerProcess([COMMAND, "serve", *flags, *arguments], directory)
    command = [sys.executable, "-m", "webhook", "serve", *flags, *arguments]
    return ServerProcess(command, directory, {"PYTHONPATH": str(code)})


def serving_lines(process: ServerProcess) -> list[dict[str, Any]]:
    """The line of its log with the addresses on which it listens; none before that."""
    if process.ended:
        raise RuntimeError(f"the service ended while starting\n{process.log_tail()}")
    lines = process.log.read_text().splitlines()
    return [json.loads(line) for line in lines if '"event":"serving"' in line]
