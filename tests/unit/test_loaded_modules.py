"""The serving process loads neither the Kubernetes client nor what other commands need."""

from pathlib import Path

import pytest
from service.reviews import review
from service.running import CertificateDirectory, running_service


def test_serve_loads_no_other_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python writes every import of the process to its log."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with running_service(tmp_path, CertificateDirectory(tmp_path / "tls")) as service:
        assert service.ask(review())["allowed"]
        service.admin.get("/metrics").raise_for_status()
    lines = service.process.log.read_text().splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}

    assert "webhook.serving.app" in loaded
    top_level = {name.partition(".")[0] for name in loaded}
    assert not top_level & {"certs", "google", "grpc", "jinja2", "kubernetes"}
    assert not any(name.startswith("webhook.cluster") for name in loaded)
