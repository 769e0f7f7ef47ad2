"""A service that cannot verify its clients does not start."""

import subprocess
from pathlib import Path

import pytest
from service.running import COMMAND, CertificateDirectory


def failed_start(directory: CertificateDirectory, *flags: str | Path) -> tuple[int, str]:
    """Exit status and stderr of a service that cannot start."""
    ended = subprocess.run(
        [COMMAND, "serve", "--tls-dir", directory.path, "--port=0", "--admin-port=0", *flags],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "client-ca.pem: No such file or directory"),
        (b"", "client-ca.pem does not hold certificates in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\n", "client-ca.pem does not hold certificates in PEM form"),
    ],
    ids=["missing", "empty", "half"],
)
def test_the_service_does_not_start_without_a_valid_client_ca(
    certificates: CertificateDirectory, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    file = tmp_path / "client-ca.pem"
    if content is not None:
        file.write_bytes(content)
    status, said = failed_start(certificates, "--client-ca", file)
    assert status == 78
    assert said.startswith("dind-webhook: ")
    assert said.endswith(f"{sentence}\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--client-name=kube-apiserver",), "--client-name needs --client-ca"),
        (("--client-name=", "--client-ca=ca.crt"), "--client-name is empty"),
    ],
    ids=["no CA", "no name"],
)
def test_client_names_without_a_ca_and_empty_ones_are_usage_errors(
    certificates: CertificateDirectory, flags: tuple[str, ...], sentence: str
) -> None:
    status, said = failed_start(certificates, *flags)
    assert status == 64
    assert sentence in said
