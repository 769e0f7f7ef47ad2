"""What `dind-webhook check` says without a cluster, and of certificates and pods out of reach."""

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli.running import run

from certs.authority import issue_authority
from certs.pem import certificates_in
from webhook.cli.verdicts import Check, Report, Verdict, listed, plain, validity, worst

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_NO_CLIENT = """
import sys
sys.modules["kubernetes"] = None  # as if it were not installed
from webhook.cli import main
main()
"""


@pytest.mark.parametrize("command", [["check"], ["explain", "job", "-n", "ci"]], ids=" ".join)
def test_a_missing_client_package_is_told_with_where_to_get_it(command: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _NO_CLIENT, *command], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (69, "")
    assert result.stderr == (
        "Error: this command needs the Kubernetes client: install dind-webhook[cluster], with pip "
        "for instance, or run it in the image of the chart's rotation, which has it\n"
    )


KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{{name: nowhere, context: {{cluster: nowhere, user: nobody}}}}]
clusters: [{{name: nowhere, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: nobody, user: {{}}}}]
"""


@pytest.fixture
def closed_port() -> int:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_cluster_that_is_away_is_status_69(tmp_path: Path, closed_port: int) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(port=closed_port))

    result = run("check", "--kubeconfig", kubeconfig)

    assert result.exit_code == 69
    assert result.stderr.startswith(f"Error: http://127.0.0.1:{closed_port} cannot be reached: ")
    assert result.stderr.count("\n") == 1


def test_a_context_that_does_not_exist_is_repeated(tmp_path: Path, closed_port: int) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(port=closed_port))

    result = run("check", "--kubeconfig", kubeconfig, "--context", "elsewhere")

    assert result.exit_code == 69
    assert "elsewhere" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_kubeconfig_that_does_not_exist_is_named(tmp_path: Path) -> None:
    result = run("check", "--kubeconfig", tmp_path / "missing")
    assert result.exit_code == 65
    assert result.stderr == f"Error: {tmp_path / 'missing'}: cannot be read: it is not a file\n"


@pytest.mark.parametrize(
    ("left", "verdict", "told"),
    [
        (timedelta(days=300), Verdict.OK, "valid until 2026-10-28 00:00:00 UTC"),
        (timedelta(days=2), Verdict.WARNING, "expires soon, at 2026-01-03 00:00:00 UTC"),
        (timedelta(0), Verdict.BROKEN, "expired at 2026-01-01 00:00:00 UTC"),
        (timedelta(days=400), Verdict.BROKEN, "not valid before 2026-02-04 23:00:00 UTC"),
    ],
    ids=["long valid", "two days left", "over", "not yet valid"],
)
def test_dates_are_judged(left: timedelta, verdict: Verdict, told: str) -> None:
    lifetime = timedelta(days=365)
    authority = issue_authority(NOW + left - lifetime, validity=lifetime)
    (certificate,) = certificates_in(authority.pem)
    assert validity(certificate, NOW) == (verdict, told)


def test_what_is_unknown_is_counted_and_is_no_failure() -> None:
    reports = [
        Report("cluster", [Check("labels", Verdict.OK, "fine")]),
        Report("x", [Check("certificate", Verdict.UNKNOWN, "not reachable", "helm test")]),
    ]
    assert worst(reports) is Verdict.UNKNOWN
    assert plain(reports).splitlines() == [
        "cluster",
        "",
        "  ok       labels       fine",
        "",
        "x",
        "",
        "  unknown  certificate  not reachable",
        "                        way out: helm test",
        "",
        "In sum: 1 unknown",
    ]


def test_a_long_list_is_cut_short() -> None:
    assert listed([f"ns-{n}" for n in range(12)]).endswith("ns-9 and 2 more")
