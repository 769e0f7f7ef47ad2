"""The product as users run it: its image, installed by Helm with the chart's defaults."""

import os
import re
import subprocess
from pathlib import Path

from apiserver.chart.helm import CHART
from kube.registration import CONFIGURATIONS
from kube.waiting import until
from node.cluster import Cluster
from node.pods import story
from node.product_image import product_archive

from tools.build import ensure

_RELOADS = re.compile(
    r'^dind_webhook_configuration_reloads_total\{result="success"\} (\S+)$', re.MULTILINE
)
_PROBE = {
    "metadata": {"name": "probe", "annotations": {"dind.io/inject": "true"}},
    "spec": {"containers": [{"name": "probe", "image": "probe"}]},
}


class Product:
    """A release of the chart on a cluster, in its own namespace.

    Attributes:
        cluster: the cluster.
        release: the release's name, and the name of its objects.
        namespace: has the same name; no pod is injected in it.
        patience: seconds until a change must be in effect.
    """

    def __init__(
        self, cluster: Cluster, release: str = "dind-webhook", *, patience: float = 300
    ) -> None:
        self.cluster = cluster
        self.patience = patience
        self.release = release
        self.namespace = release

    def install(self, *flags: str) -> None:
        """Installs the chart, with its defaults but for flags, and waits until pods are injected.

        Raises:
            CalledProcessError: Helm or kubectl failed; a note has its output.
            TimeoutError: pods are not injected in time.
        """
        self.cluster.provide_images(product_archive())
        self.helm("install", self.release, CHART, "--create-namespace", *flags)
        self.await_injection()

    def await_injection(self) -> None:
        """Waits until every workload is ready and pods are injected.

        Raises: what `install` does.
        """
        self._await_workloads()
        until(self._is_trusted, "a caBundle in every webhook", seconds=self.patience)
        until(self._injects, "a pod to be injected", seconds=self.patience)

    def upgrade(self, values: Path) -> None:
        """Replaces all values with these, and waits until they are in effect.

        Raises: what `install` does.
        """
        config = self._stored_config()
        reloads = self._reloads()
        # Without the flag, Helm takes an empty file for none, and keeps the former values.
        self.helm("upgrade", self.release, CHART, "--reset-values", f"--values={values}")
        self._await_workloads()
        if self._stored_config() != config:
            until(
                lambda: all(count > reloads.get(pod, -1) for pod, count in self._reloads().items()),
                "every serving pod to read the configuration file",
                seconds=self.patience,
            )

    def helm(self, *arguments: str | Path) -> str:
        """Runs Helm in the release's namespace; returns its output.

        Raises:
            CalledProcessError: it failed; a note has its output.
        """
        home = self.cluster.directory / "helm"
        done = subprocess.run(
            [ensure("helm"), *arguments, f"--namespace={self.namespace}"],
            env={
                **{name: text for name, text in os.environ.items() if not name.startswith("HELM_")},
                **{f"HELM_{name}_HOME": str(home / name) for name in ("CACHE", "CONFIG", "DATA")},
                "KUBECONFIG": str(self.cluster.kubeconfig),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            error = subprocess.CalledProcessError(done.returncode, [*map(str, arguments)])
            error.add_note(done.stdout + done.stderr)
            raise error
        return done.stdout

    def pods(self, component: str = "webhook") -> list[str]:
        """Names of the pods of a component: webhook, certificates or node."""
        return self._names("pods", f"--selector=app.kubernetes.io/component={component}")

    def _names(self, kinds: str, *selection: str) -> list[str]:
        listed = self._kubectl("get", kinds, *selection, "--output=name")
        return [line.removeprefix("pod/") for line in listed.splitlines()]

    def _await_workloads(self) -> None:
        try:
            for workload in self._names("deployments,daemonsets"):
                self._kubectl("rollout", "status", workload, f"--timeout={self.patience:g}s")
        except subprocess.CalledProcessError as late:
            for pod in self._names("pods"):
                late.add_note(story(self.cluster, self.namespace, pod))
            raise

    def _is_trusted(self) -> bool:
        configuration = self.cluster.client.get(f"{CONFIGURATIONS}/{self.release}")
        webhooks = configuration.raise_for_status().json()["webhooks"]
        return all("caBundle" in webhook["clientConfig"] for webhook in webhooks)

    def _injects(self) -> bool:
        answer = self.cluster.create_pod("default", _PROBE, dry_run=True)
        return answer.is_success and "dind.io/status" in answer.json()["metadata"]["annotations"]

    def _stored_config(self) -> str:
        return self._kubectl("get", "configmap", self.release, "--output=jsonpath={.data}")

    def _reloads(self) -> dict[str, float]:
        """How often each serving pod has read a changed configuration file."""
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        counts = {}
        for pod in self.pods():
            metrics = self.cluster.client.get(f"{pods}/{pod}:8080/proxy/metrics")
            found = _RELOADS.search(metrics.raise_for_status().text)
            assert found is not None, metrics.text
            counts[pod] = float(found[1])
        return counts

    def _kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments).stdout
