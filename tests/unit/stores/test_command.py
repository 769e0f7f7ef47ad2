"""The command `reclaim-stores`: its command line and its port."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cli.running import run

from webhook.admin_server import AdminServer
from webhook.stores.metrics import StoreMetrics


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["node"], "Missing argument 'DIRECTORY...'"),
        (["node", "stores"], "'stores' is not the path of a directory (accepted: an absolute path"),
        (["node", "/"], "'/' is not the path of a directory"),
        (["node", "/stores/"], "'/stores/' is not the path of a directory"),
        (["node", "/a/../b"], "'/a/../b' is not the path of a directory"),
        (["node", "/var/lib"], '"/var/lib" is at, below or above a directory of the'),
        (["node", "/b", "/a/b", "/a"], "/a/b is in /a; stores need separate directories."),
        (["node", "/a", "--node-limit=much"], "'much' is not a Kubernetes quantity"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_command_lines_are_rejected(arguments: list[str], message: str) -> None:
    result = run("reclaim-stores", "--config=none", *arguments)
    assert result.exit_code == 64
    assert message in result.stderr


def test_invalid_configuration_files_end_the_command_with_78(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    assert run("reclaim-stores", "node", "/stores", f"--config={config}").exit_code == 78
    config.write_text("profiles: 1")
    result = run("reclaim-stores", "node", "/stores", f"--config={config}")
    assert result.exit_code == 78
    assert "profiles" in result.stderr


@pytest.fixture
def server() -> Iterator[AdminServer]:
    healthy = iter([True])
    with AdminServer(0, StoreMetrics().registry, lambda: next(healthy, False)) as made:
        made.start()
        yield made
        made.shutdown()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_health_and_metrics_are_served(server: AdminServer, host: str) -> None:
    with httpx.Client(base_url=f"http://{host}:{server.port}", trust_env=False) as client:
        assert client.get("/healthz").text == "ok\n"
        assert client.get("/healthz").status_code == 503
        metrics = client.get("/metrics").raise_for_status()
        missing = client.get("/")
    assert 'dind_image_stores_removed_total{reason="namespace"} 0.0' in metrics.text
    assert metrics.headers["content-type"].startswith("text/plain")
    assert missing.status_code == 404
    assert missing.text == "there is no such path; the paths are /healthz, /metrics\n"
