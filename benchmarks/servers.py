"""The servers as processes, the CPU time that they use, and their memory.

Where there are two cores or more, servers share the last one and the load stays on the others, so
that neither waits for the other's core.
"""

import ctypes
import json
import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from certs.issuing import issue_ca, issue_serving_certificate

_START_SECONDS = 30.0
_LIBC = ctypes.CDLL(None, use_errno=True)
_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)


class Server(Struct, frozen=True):
    """A server that runs.

    Attributes:
        name: of its program.
        pid: its process.
        port: where it speaks TLS, on 127.0.0.1.
    """

    name: str
    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """CPU time so far of all its threads, ended ones too, by the kernel's own count."""
        clock = ctypes.c_int()
        if error := _LIBC.clock_getcpuclockid(self.pid, ctypes.byref(clock)):
            raise OSError(error, os.strerror(error))
        return time.clock_gettime(clock.value)

    def resident(self) -> int:
        """Memory that it holds, in bytes: its own, and pages of files that others may share."""
        found = _RESIDENT.search(Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8"))
        assert found is not None  # every process with memory has this line
        return int(found[1]) * 1024


class Field(Struct, frozen=True):
    """Servers that run, and how to reach them.

    Attributes:
        servers: by name, in the order in which they take turns.
        tls: a client's context.
    """

    servers: Mapping[str, Server]
    tls: ssl.SSLContext


@contextmanager
def running(commands: Mapping[str, Sequence[str]], folder: Path) -> Iterator[Field]:
    """Run servers while the block runs.

    Args:
        commands: what to run, by name.
        folder: holds the certificate, and gets the servers' logs: the service writes one line of
            JSON per decision to a file there, as it would to the container's standard error.
    """
    tls = ssl.create_default_context(cafile=folder / "ca.crt")
    with ExitStack() as stack:
        core = stack.enter_context(_load_elsewhere())
        servers = {
            name: stack.enter_context(_process(name, command, folder, core))
            for name, command in commands.items()
        }
        yield Field(servers, tls)


def issue(folder: Path) -> None:
    """Write a certificate for 127.0.0.1, its key, and the authority that a client trusts."""
    now = datetime.now(UTC)
    authority = issue_ca(now)
    addresses = [ip_address("127.0.0.1")]
    leaf = issue_serving_certificate(
        authority, now, ip_addresses=addresses, validity=timedelta(days=1)
    )
    (folder / "tls.crt").write_bytes(leaf.pem)
    (folder / "tls.key").write_bytes(leaf.key)
    (folder / "ca.crt").write_bytes(authority.pem)


@contextmanager
def _load_elsewhere() -> Iterator[int]:
    """Keep this process off the last core while the block runs; gives that core."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[:-1])
    try:
        yield cores[-1]
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def _process(name: str, command: Sequence[str], folder: Path, core: int) -> Iterator[Server]:
    path = folder / f"{name.replace(' ', '-')}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
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
