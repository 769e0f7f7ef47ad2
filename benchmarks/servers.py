"""The servers that are compared, as processes: their CPU time and their memory.

On two or more cores, all servers share the last core and the load runs on the others.
"""

import ctypes
import json
import os
import re
import shutil
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

from certs.issuing import issue_ca, issue_serving_certificate

ECHO, GO, SERVICE = "echo", "Go", "service"
_START_SECONDS = 30.0
_CORES = sorted(os.sched_getaffinity(0))
_LIBC = ctypes.CDLL(None, use_errno=True)
_GO_MODULE = Path(__file__).parent / "go"
_GO_BUILD = ("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w")
_EXAMPLE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "example", "annotations": {"dind.io/inject": "true"}},
    "spec": {"containers": [{"name": "app", "image": "app"}]},
}


class GoMissing(Exception):  # noqa: N818 - named for what happened
    """The Go handler cannot be built; the text says why."""


class Server(Struct, frozen=True):
    """A running server.

    Attributes:
        name: ECHO, GO, SERVICE, or another program's.
        pid: of its process.
        port: where it serves TLS, on 127.0.0.1.
    """

    name: str
    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far."""
        clock = ctypes.c_int()
        if error := _LIBC.clock_getcpuclockid(self.pid, ctypes.byref(clock)):
            raise OSError(error, os.strerror(error))
        return time.clock_gettime(clock.value)

    def resident_bytes(self) -> int:
        """Resident memory now, including pages of files that processes share."""
        return self._status_bytes("VmRSS")

    def peak_bytes(self) -> int:
        """The most resident memory so far."""
        return self._status_bytes("VmHWM")

    def _status_bytes(self, field: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None  # every process with memory has these lines
        return int(found[1]) * 1024


def commands(directory: Path, go_handler: Path | None) -> dict[str, Sequence[str]]:
    """The command line of each server, in the order in which they take turns.

    Args:
        directory: of the certificate.
        go_handler: the program, None to leave it out.
    """
    serve = ("serve", "--tls-dir", str(directory), "--host", "127.0.0.1", "--quiet-period", "0")
    go = {} if go_handler is None else {GO: (str(go_handler), str(directory))}
    return {
        ECHO: (sys.executable, "-m", "benchmarks.echo", str(directory)),
        **go,
        SERVICE: (sys.executable, "-m", "webhook", *serve, "--port", "0", "--admin-port", "0"),
    }


def build_go_handler(directory: Path) -> Path:
    """Build the Go handler, and write the injected pod from which it takes what it adds.

    Args:
        directory: gets both.

    Raises:
        GoMissing: there is no Go, or the build failed.
    """
    if shutil.which("go") is None:
        raise GoMissing("Go is not on PATH: the Go handler is left out.")
    program = directory / "go-handler"
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    built = subprocess.run(
        [*_GO_BUILD, f"-o={program}", "."],
        cwd=_GO_MODULE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise GoMissing(f"benchmarks/go does not build and is left out: {built.stderr.strip()}")
    inject = (sys.executable, "-m", "webhook", "inject", "-f", "-", "-o", "json")
    example = subprocess.run(
        inject, input=json.dumps(_EXAMPLE).encode(), capture_output=True, check=True
    )
    (directory / "injected.json").write_bytes(example.stdout)
    return program


def issue_certificate(directory: Path) -> None:
    """Write a certificate for 127.0.0.1 (tls.crt, tls.key) and its CA (ca.crt)."""
    now = datetime.now(UTC)
    authority = issue_ca(now)
    addresses = [ip_address("127.0.0.1")]
    leaf = issue_serving_certificate(
        authority, now, ip_addresses=addresses, validity=timedelta(days=1)
    )
    (directory / "tls.crt").write_bytes(leaf.pem)
    (directory / "tls.key").write_bytes(leaf.key)
    (directory / "ca.crt").write_bytes(authority.pem)


def client_tls(directory: Path) -> ssl.SSLContext:
    """A client's context that trusts the CA."""
    return ssl.create_default_context(cafile=directory / "ca.crt")


@contextmanager
def load_on_other_cores() -> Iterator[None]:
    """Keep this process off the servers' core while the block runs."""
    os.sched_setaffinity(0, _CORES[:-1] or _CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, _CORES)


@contextmanager
def running(
    name: str, command: Sequence[str], directory: Path, *, pinned: bool = True
) -> Iterator[Server]:
    """Run a server while the block runs.

    Args:
        name: of the server.
        command: its command line.
        directory: gets its log, since in a container standard error is no terminal either.
        pinned: to the last core.

    Raises:
        RuntimeError: it did not start; with its log.
    """
    path = directory / f"{name}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        if pinned:
            os.sched_setaffinity(process.pid, _CORES[-1:])
        yield Server(name, process.pid, _await_port(process, path))
    finally:
        process.terminate()
        process.wait()


def _await_port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """Wait for the line of JSON that names the address."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r'"webhook": ?"127\.0\.0\.1:(\d+)".*\n', log.read_text()):
            return int(found[1])
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text()}")
