"""Docker's SDK and Testcontainers for Python, in an image that knows nothing of the webhook."""

from pathlib import Path

import pytest
from node.cluster import Cluster
from node.images import PYTHON_CLIENTS
from node.injecting import MAKE_CONTEXT, job
from node.pods import completed

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("product")]

SUITES = Path(__file__).parent / "suites"


@pytest.mark.parametrize(
    ("suite", "settings"),
    [
        ("docker_sdk", {}),
        # Its reaper is an image of its own, which users without a registry do without as well.
        ("testcontainers_suite", {"TESTCONTAINERS_RYUK_DISABLED": "true"}),
    ],
    ids=["the Docker SDK", "Testcontainers"],
)
def test_library_suite_passes(
    cluster: Cluster, namespace: str, suite: str, settings: dict[str, str]
) -> None:
    program = (SUITES / f"{suite}.py").read_text(encoding="utf-8")
    script = f"{MAKE_CONTEXT}python3 - <<'SUITE'\n{program}SUITE\necho passed"
    env = [{"name": name, "value": value} for name, value in settings.items()]
    work = [{"name": "work", "mountPath": "/tmp/job"}]
    manifest = job("suite", script, image=PYTHON_CLIENTS, env=env, volumeMounts=work)
    manifest["spec"]["volumes"] = [{"name": "work", "emptyDir": {}}]
    assert completed(cluster, namespace, manifest).endswith("passed\n")
