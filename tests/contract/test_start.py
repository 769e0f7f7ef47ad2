"""A service that cannot start exits with a message of one line."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from kube.process import ServerProcess
from kube.waiting import until
from service.running import COMMAND, CertificateDirectory, serving_lines


def failed_start(directory: CertificateDirectory, *arguments: str | Path) -> tuple[int, str]:
    """Exit status and stderr of a service that cannot start."""
    flags: list[str | Path] = [
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--admin-port",
        "0",
        "--tls-dir",
        directory.path,
    ]
    ended = subprocess.run(
        [COMMAND, "serve", *flags, *arguments],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def assert_one_sentence(stderr: str, *parts: str) -> None:
    assert stderr.count("\n") == 1
    assert stderr.startswith("dind-webhook: ")
    for part in parts:
        assert part in stderr


def mismatched(directory: CertificateDirectory) -> None:
    directory.put(directory.issue()[0], directory.issue()[1])


def expired(directory: CertificateDirectory) -> None:
    directory.put(*directory.issue_expired())


@pytest.mark.parametrize(
    ("put", "file", "cause"),
    [
        (CertificateDirectory.lose_key, "tls/tls.key", "No such file or directory"),
        (mismatched, "tls.key", "is not the key of the certificate in tls.crt"),
        (expired, "tls.crt", "expired at 20"),
    ],
)
def test_the_service_does_not_start_without_a_valid_certificate(
    certificates: CertificateDirectory,
    put: Callable[[CertificateDirectory], None],
    file: str,
    cause: str,
) -> None:
    put(certificates)
    status, stderr = failed_start(certificates)
    assert status == 78
    assert_one_sentence(stderr, file, cause)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"policy: {annotation: []}\n", "annotation"),
        (b"defaultProfile: nope\n", "nope"),
        (b"a: [\n", "line"),
        (None, "No such file or directory"),
    ],
    ids=["an unknown key", "a profile that is not there", "not YAML", "no file"],
)
def test_the_service_does_not_start_with_a_bad_configuration_file(
    certificates: CertificateDirectory, tmp_path: Path, content: bytes | None, cause: str
) -> None:
    config = tmp_path / "config.yaml"
    if content is not None:
        config.write_bytes(content)
    status, stderr = failed_start(certificates, "--config", config)
    assert status == 78
    assert_one_sentence(stderr, str(config), cause)


@pytest.mark.parametrize("flag", ["--port", "--admin-port"])
def test_ports_in_use_are_named(certificates: CertificateDirectory, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        status, stderr = failed_start(certificates, flag, port)
    assert status == 78
    assert_one_sentence(stderr, "cannot listen", port, "Address already in use")


@pytest.mark.parametrize(
    ("flags", "addresses", "others"),
    [
        ([], ["127.0.0.1", "::1"], []),
        (["--host", "127.0.0.1"], ["127.0.0.1"], ["::1"]),
        (["--host", "::1"], ["::1"], ["127.0.0.1"]),
    ],
    ids=["unset", "IPv4", "IPv6"],
)
def test_both_ports_listen_on_the_host_or_on_every_ipv4_and_ipv6_address(
    certificates: CertificateDirectory,
    tmp_path: Path,
    flags: list[str],
    addresses: list[str],
    others: list[str],
) -> None:
    ports = ["--port", "0", "--admin-port", "0", "--tls-dir", str(certificates.path)]
    process = ServerProcess([COMMAND, "serve", *ports, *flags], tmp_path)
    try:
        until(lambda: bool(serving_lines(process)), "the service to serve")
        (line,) = serving_lines(process)
        for port in (int(line[key].rpartition(":")[2]) for key in ("webhook", "admin")):
            for address in addresses:
                socket.create_connection((address, port)).close()
            for address in others:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection((address, port))
    finally:
        process.stop()


def test_flags_can_be_set_by_environment_variables(
    certificates: CertificateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIND_WEBHOOK_CONFIG", "nowhere/config.yaml")
    status, stderr = failed_start(certificates)
    assert status == 78
    assert_one_sentence(stderr, "nowhere/config.yaml")
