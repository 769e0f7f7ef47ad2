"""The two servers as processes, and the CPU time that they use.

Where there are two cores or more, servers share the last one and the load stays on the others, so
that neither waits for the other's core.
"""

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from certs.authority import issue_authority, issue_leaf

_START_SECONDS = 30.0


class Server(Struct, frozen=True):
    """A server that runs.

    Attributes:
        name: echo or webhook.
        pid: its process.
        port: where it speaks TLS, on 127.0.0.1.
    """

    name: str
    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far, by the scheduler's own count in nanoseconds."""
        counts = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(count.read_text().split()[0]) for count in counts) / 1e9


class Pair(Struct, frozen=True):
    """Both servers, and how to reach them."""

    echo: Server
    webhook: Server
    tls: ssl.SSLContext


@contextmanager
def both_servers(folder: Path, *, prototype: bool = False) -> Iterator[Pair]:
    """Run both servers while the block runs.

    Args:
        folder: for the certificate, and for the servers' logs: the service writes one line of JSON
            per decision to a file there, as it would to the container's standard error.
        prototype: run `benchmarks.prototype` in the service's place.
    """
    tls = _issue(folder)
    flags = ["--tls-dir", str(folder), "--host", "127.0.0.1", "--port", "0", "--admin-port", "0"]
    serve = ["webhook", "serve", *flags, "--quiet-period", "0"]
    if prototype:
        serve = ["benchmarks.prototype", str(folder)]
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[:-1])
    try:
        with (
            _running("echo", ["benchmarks.echo", str(folder)], folder, cores[-1]) as echo,
            _running("webhook", serve, folder, cores[-1]) as webhook,
        ):
            yield Pair(echo, webhook, tls)
    finally:
        os.sched_setaffinity(0, cores)


def _issue(folder: Path) -> ssl.SSLContext:
    """Write a certificate for 127.0.0.1; gives the context of a client that trusts it."""
    now = datetime.now(UTC)
    authority = issue_authority(now)
    addresses = [ip_address("127.0.0.1")]
    leaf = issue_leaf(authority, now, ip_addresses=addresses, validity=timedelta(days=1))
    (folder / "tls.crt").write_bytes(leaf.pem)
    (folder / "tls.key").write_bytes(leaf.key)
    return ssl.create_default_context(cadata=authority.pem.decode())


@contextmanager
def _running(name: str, arguments: Sequence[str], folder: Path, core: int) -> Iterator[Server]:
    path = folder / f"{name}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        os.sched_setaffinity(process.pid, [core])
        yield Server(name, process.pid, _port(process, path))
    finally:
        process.terminate()
        process.wait()


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """Wait for the line that says where it listens."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        first, newline, _ = log.read_text().partition("\n")
        if newline:
            try:
                return int(json.loads(first)["webhook"].rpartition(":")[2])
            except (ValueError, KeyError):
                break
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text()}")
