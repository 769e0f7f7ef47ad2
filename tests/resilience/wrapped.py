"""The service in another environment, prepared by a program that then executes the service."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from kube.process import ServerProcess
from kube.waiting import until
from service.running import COMMAND, CertificateDirectory, RunningService

_FLAGS = ("--host", "127.0.0.1", "--port", "0", "--admin-port", "0", "--poll-interval", "0.05")


@contextmanager
def wrapped_service(
    wrapper: Sequence[str | Path], directory: Path, certificates: CertificateDirectory
) -> Iterator[RunningService]:
    """Run it while the block runs. Its ports are found without its log, which may be unreadable.

    Args:
        wrapper: a program and arguments; the service's command is appended, and the program must
            execute it in its own process.
        directory: for the log.
        certificates: what it serves.
    """
    command = [*wrapper, COMMAND, "serve", *_FLAGS, "--tls-dir", certificates.path]
    process = ServerProcess(command, directory, name="dind-webhook")
    try:
        until(lambda: process.ended or len(_ports(process.pid)) == 2, "the service to listen")
        assert not process.ended, process.log_tail()
        webhook, admin = _ports(process.pid)
        service = RunningService(process, webhook, admin, certificates.ca)
        with service.client, service.admin:
            yield service
    finally:
        process.stop()


def _ports(pid: int) -> list[int]:
    """Ports on which a process listens, in the order in which it opened them."""
    listening = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_, inode = line.split()[:10]
        if state == "0A":
            listening[inode] = int(local.rpartition(":")[2], 16)
    opened = sorted(Path(f"/proc/{pid}/fd").iterdir(), key=lambda path: int(path.name))
    ports = []
    for descriptor in opened:
        with suppress(FileNotFoundError):  # closed since
            found = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
            if found and found[1] in listening:
                ports.append(listening[found[1]])
    return ports
