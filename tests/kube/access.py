"""A started API server of the tests and an administrator's access to it."""

import json
import ssl
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx
from kube.process import ServerProcess
from kube.waiting import until

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

ADMINISTRATOR_TOKEN = "admin-of-the-tests"  # the servers listen on loopback only


class Access:
    """Runs processes with an API server while the `with` block does; an administrator's access.

    A subclass starts them in `_start` and calls `_open_access` there.
    """

    start_seconds: float = 180  # an idle machine needs 5, a busy one many times that

    client: httpx.Client
    """Takes paths such as /api/v1/pods."""

    _directory: Path
    _kubectl: Path

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._processes: dict[str, ServerProcess] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            try:
                self._start(stack)
            except Exception as failure:
                for process in self._processes.values():
                    failure.add_note(process.log_tail())
                raise
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        """Starts everything; what is on the stack is closed at the end of the block."""
        raise NotImplementedError

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file with the administrator's access."""
        return self._directory / "kubeconfig"

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002  (as subprocess.run calls it)
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl as the administrator; a failure carries kubectl's own words as a note."""
        result = subprocess.run(
            [
                self._kubectl,
                f"--kubeconfig={self.kubeconfig}",
                f"--cache-dir={self._directory / 'kubectl-cache'}",
                *args,
            ],
            input=input,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and result.returncode:
            error = subprocess.CalledProcessError(result.returncode, ["kubectl", *args])
            error.add_note(result.stderr)
            raise error
        return result

    def new_client(self) -> httpx.Client:
        """Another client, with connections of its own."""
        (cluster,) = json.loads(self.kubeconfig.read_text())["clusters"]
        return httpx.Client(
            base_url=cluster["cluster"]["server"],
            headers={"Authorization": f"Bearer {ADMINISTRATOR_TOKEN}"},
            verify=ssl.create_default_context(cafile=self._directory / "ca.crt"),
            trust_env=False,
            timeout=60,  # a busy kubelet takes long to return a log
        )

    def api_client(self) -> "ApiClient":
        """A new client of the `kubernetes` package; use it in a `with` statement."""
        from kubernetes.config import new_client_from_config  # noqa: PLC0415  (slow to import)

        client: ApiClient = new_client_from_config(str(self.kubeconfig))  # type: ignore[no-untyped-call]
        return client

    def _await(self, what: str, condition: Callable[[], bool]) -> None:
        """Waits for a condition while the processes start; fails at once if one of them ends."""

        def holds() -> bool:
            for process in self._processes.values():
                if process.ended:
                    raise RuntimeError(f"{process.name} ended while starting")
            return condition()

        until(holds, what, seconds=self.start_seconds)

    def _api_server_is_ready(self) -> bool:
        try:
            return self.client.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Creates a namespace."""
        self.client.post(
            "/api/v1/namespaces", json={"metadata": {"name": name, "labels": dict(labels or {})}}
        ).raise_for_status()

    def create_pod(
        self, namespace: str, pod: Mapping[str, Any], *, dry_run: bool = False
    ) -> httpx.Response:
        """Sends a pod; the response has the stored pod or the error, and the Warning headers."""
        return self.client.post(
            f"/api/v1/namespaces/{namespace}/pods",
            json=pod,
            params={"dryRun": "All"} if dry_run else {},
        )

    def _open_access(self, stack: ExitStack, directory: Path, port: int, kubectl: Path) -> None:
        """Sets up `client`, `kubeconfig` and `kubectl` for the API server at a port of loopback.

        Args:
            stack: closes the client.
            directory: contains the CA's ca.crt; the kubeconfig is written into it.
            port: where the API server listens, or will.
            kubectl: the program.
        """
        self._directory = directory
        self._kubectl = kubectl
        address = f"https://127.0.0.1:{port}"
        access = kubeconfig(address, directory / "ca.crt", ADMINISTRATOR_TOKEN)
        self.kubeconfig.write_text(json.dumps(access))
        self.client = stack.enter_context(self.new_client())


def kubeconfig(address: str, ca: Path, token: str) -> dict[str, Any]:
    """The contents of a kubeconfig file for one server and one user."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "user"}}],
        "clusters": [
            {
                "name": "tests",
                "cluster": {"server": address, "certificate-authority": str(ca)},
            }
        ],
        "users": [{"name": "user", "user": {"token": token}}],
    }
