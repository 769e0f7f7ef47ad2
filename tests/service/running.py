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

from certs.authority import Authority, issue_authority, issue_leaf

COMMAND = Path(sys.executable).with_name("dind-webhook")


class CertificateFolder:
    """A folder as the kubelet mounts a kubernetes.io/tls Secret: swapped as a whole.

    Attributes:
        path: the folder.
        authority: whoever issued the certificate that is in there first.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        self.path = path
        self.authority = issue_authority(datetime.now(UTC))
        self._version = 0
        self.put(*self.issue())
        for name in ("tls.crt", "tls.key"):
            (path / name).symlink_to(Path("..data", name))

    def issue(self) -> tuple[bytes, bytes]:
        """A certificate for 127.0.0.1 and its key, as PEM."""
        return _leaf(self.authority, datetime.now(UTC))

    def issue_expired(self) -> tuple[bytes, bytes]:
        """The same, but a day too old."""
        then = datetime.now(UTC) - timedelta(days=2)
        return _leaf(issue_authority(then), then)

    def put(self, certificate: bytes, key: bytes) -> None:
        """Show other files, all at once: a link to a new folder replaces the former link."""
        self._version += 1
        version = self.path / f"..{self._version}"
        version.mkdir()
        (version / "tls.crt").write_bytes(certificate)
        (version / "tls.key").write_bytes(key)
        link = self.path / "..link"
        link.symlink_to(version.name)
        link.rename(self.path / "..data")


def _leaf(authority: Authority, now: datetime) -> tuple[bytes, bytes]:
    leaf = issue_leaf(
        authority,
        now,
        dns_names=["localhost"],
        ip_addresses=[ip_address("127.0.0.1")],
        validity=timedelta(days=1),
    )
    return leaf.pem, leaf.key


class RunningService:
    """A process that serves.

    Attributes:
        port: of the webhook, on 127.0.0.1.
        client: speaks TLS to it; paths such as /inject/pod.
        admin: speaks to its admin port.
        process: itself.
    """

    def __init__(
        self, process: ServerProcess, port: int, admin_port: int, authority: Authority
    ) -> None:
        self.process = process
        self.port = port
        self.authority = authority
        context = ssl.create_default_context(cadata=authority.pem.decode())
        self.client = httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=context, trust_env=False
        )
        self.admin = httpx.Client(base_url=f"http://127.0.0.1:{admin_port}", trust_env=False)

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The lines of its log so far, of one event or of all."""
        lines = self.process.log.read_text().splitlines(keepends=True)
        parsed = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line for line in parsed if name in (None, line["event"])]

    def metric(self, name: str, **labels: str) -> float:
        """The value of one series, the sum over those that have the given labels."""
        total = 0.0
        for line in self.admin.get("/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] != name:
                continue
            if all(f'{label}="{wanted}"' in series for label, wanted in labels.items()):
                total += float(value)
        return total

    def decisions(self) -> int:
        """How many reviews it has decided."""
        return int(self.metric("dind_webhook_decisions_total"))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)


@contextmanager
def running_service(
    folder: Path, certificates: CertificateFolder, *arguments: str | Path
) -> Iterator[RunningService]:
    """Run the service while the block runs.

    Args:
        folder: for its log.
        certificates: what it serves.
        arguments: more of `dind-webhook serve`.
    """
    process = start(folder, certificates.path, *arguments)
    try:
        until(lambda: bool(_serving(process)), "the service to serve")
        (line,) = _serving(process)
        ports = [int(line[key].rpartition(":")[2]) for key in ("webhook", "admin")]
        service = RunningService(process, ports[0], ports[1], certificates.authority)
        with service.client, service.admin:
            yield service
    finally:
        process.stop()


def start(folder: Path, tls_dir: Path, *arguments: str | Path) -> ServerProcess:
    """Start `dind-webhook serve` on loopback ports of the system's choice."""
    flags: Sequence[str | Path] = [
        *("--tls-dir", tls_dir, "--host", "127.0.0.1", "--port", "0", "--admin-port", "0"),
        *("--poll-interval", "0.05", "--quiet-period", "0.2"),
    ]
    return ServerProcess([COMMAND, "serve", *flags, *arguments], folder)


def _serving(process: ServerProcess) -> list[dict[str, Any]]:
    if process.ended:
        raise RuntimeError(f"the service ended while starting\n{process.log_tail()}")
    lines = process.log.read_text().splitlines()
    return [json.loads(line) for line in lines if '"event":"serving"' in line]
