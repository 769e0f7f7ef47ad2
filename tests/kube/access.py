"""An administrator's access to an API server of the tests."""

import json
import ssl
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

ADMINISTRATOR_TOKEN = "admin-of-the-tests"  # the servers listen on loopback and are thrown away


class Access:
    """Ways to speak to an API server as its administrator.

    `_open_access` makes them usable.
    """

    client: httpx.Client
    """Takes paths such as /api/v1/pods."""

    _folder: Path
    _kubectl: Path

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file with the administrator's access."""
        return self._folder / "kubeconfig"

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
                f"--cache-dir={self._folder / 'kubectl-cache'}",
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
            verify=ssl.create_default_context(cafile=self._folder / "ca.crt"),
            trust_env=False,
        )

    def api_client(self) -> "ApiClient":
        """A new client of the `kubernetes` package; use it in a `with` statement."""
        from kubernetes.config import new_client_from_config  # noqa: PLC0415  (slow to import)

        client: ApiClient = new_client_from_config(str(self.kubeconfig))  # type: ignore[no-untyped-call]
        return client

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Creates a namespace."""
        self.client.post(
            "/api/v1/namespaces", json={"metadata": {"name": name, "labels": dict(labels or {})}}
        ).raise_for_status()

    def create_pod(
        self, namespace: str, pod: Mapping[str, Any], *, dry_run: bool = False
    ) -> httpx.Response:
        """Sends a pod; the answer has the stored pod or the refusal, and the Warning headers."""
        return self.client.post(
            f"/api/v1/namespaces/{namespace}/pods",
            json=pod,
            params={"dryRun": "All"} if dry_run else {},
        )

    def _open_access(self, stack: ExitStack, folder: Path, port: int, kubectl: Path) -> None:
        """Prepares all of the above for the API server at this port of loopback.

        Args:
            stack: closes the client at its end.
            folder: holds the authority's ca.crt, and gets the kubeconfig.
            port: where the API server listens, or will.
            kubectl: the program.
        """
        self._folder = folder
        self._kubectl = kubectl
        address = f"https://127.0.0.1:{port}"
        authority = folder / "ca.crt"
        self.kubeconfig.write_text(json.dumps(kubeconfig(address, authority, ADMINISTRATOR_TOKEN)))
        self.client = stack.enter_context(self.new_client())


def kubeconfig(address: str, authority: Path, token: str) -> dict[str, Any]:
    """The contents of a kubeconfig file for one server and one user."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "user"}}],
        "clusters": [
            {
                "name": "tests",
                "cluster": {"server": address, "certificate-authority": str(authority)},
            }
        ],
        "users": [{"name": "user", "user": {"token": token}}],
    }
