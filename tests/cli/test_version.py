import json
import socket
from pathlib import Path

import msgspec
import pytest
from cli.running import run

from webhook import __version__
from webhook.cli.json_output import VersionOutput

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: unreachable
contexts: [{{name: unreachable, context: {{cluster: unreachable, user: ci}}}}]
clusters: [{{name: unreachable, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: ci, user: {{}}}}]
"""


def test_the_client_alone_is_one_line() -> None:
    result = run("version", "--client")
    assert (result.exit_code, result.stdout) == (0, f"Client: {__version__}\n")


def test_an_unreachable_cluster_is_a_note(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=port))

    result = run("version", "--kubeconfig", path)

    assert result.exit_code == 0
    client, webhook, note = result.stdout.splitlines()
    assert (client, webhook) == (f"Client: {__version__}", "Webhook: unknown")
    assert note.startswith(f"Note: http://127.0.0.1:{port} cannot be reached: ")


def test_the_note_about_a_missing_kubeconfig_names_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
    monkeypatch.setattr(location, str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    note = run("version").stdout.splitlines()[-1]

    assert note.startswith("Note: no access to a cluster: ")
    assert note.endswith("No configuration found; name a kubeconfig file with --kubeconfig")


def test_json_has_the_note_too(tmp_path: Path) -> None:
    result = run("version", "--kubeconfig", tmp_path / "missing", "-o", "json")

    output = msgspec.json.decode(result.stdout, type=VersionOutput)
    assert msgspec.to_builtins(output) == json.loads(result.stdout)
    assert (output.client, output.kubernetes, output.replicas) == (__version__, None, [])
    assert output.note == f"{tmp_path / 'missing'}: cannot be read: No such file or directory"
