"""A service that could not tell who may call does not start, and says why."""

import subprocess
from pathlib import Path

import pytest
from service.running import COMMAND, CertificateFolder


def started_in_vain(folder: CertificateFolder, *flags: str | Path) -> tuple[int, str]:
    """Exit status and stderr of a service that ends by itself."""
    ended = subprocess.run(
        [COMMAND, "serve", "--tls-dir", folder.path, "--port=0", "--admin-port=0", *flags],
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
        (None, "callers.pem: No such file or directory"),
        (b"", "callers.pem does not hold certificates in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\n", "callers.pem does not hold certificates in PEM form"),
    ],
    ids=["missing", "empty", "half"],
)
def test_it_does_not_start_without_authorities(
    certificates: CertificateFolder, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    file = tmp_path / "callers.pem"
    if content is not None:
        file.write_bytes(content)
    status, said = started_in_vain(certificates, "--client-ca", file)
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
    ids=["no authority", "no name"],
)
def test_a_name_that_proves_nothing_is_refused(
    certificates: CertificateFolder, flags: tuple[str, ...], sentence: str
) -> None:
    status, said = started_in_vain(certificates, *flags)
    assert status == 64
    assert sentence in said
