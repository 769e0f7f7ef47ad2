import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from certs.cli import main
from webhook import __version__

NAMES_RULE = (
    "(accepted: labels of letters, digits and inner hyphens, at most 63 each and 253 in all, "
    "joined by dots, the last one not a number)."
)
ADDRESS_RULE = (
    "(accepted: IPv4 such as 127.0.0.1 and IPv6 such as ::1, without a port, a prefix length or a "
    "zone)."
)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def serving_in(directory: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / "tls.crt").read_bytes())


def names_in(directory: Path) -> tuple[list[str], Sequence[object]]:
    names = (
        serving_in(directory).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    )
    return names.get_values_for_type(x509.DNSName), names.get_values_for_type(x509.IPAddress)


@pytest.fixture
def locked() -> Iterator[Path]:
    """A directory that this process may not write to, even when the tests run as root."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield Path(directory)
        finally:
            os.seteuid(user)
            Path(directory).chmod(0o700)


def test_a_set_has_the_names_of_a_tls_secret_and_a_private_key(tmp_path: Path) -> None:
    assert run("issue", "--dir", tmp_path).exit_code == 0
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"ca.crt": 0o644, "tls.crt": 0o644, "tls.key": 0o600}


def test_the_output_names_the_files_the_expiry_and_the_next_command(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "my tls"
    result = run("issue", "--dir", directory)
    expiry = serving_in(directory).not_valid_after_utc
    assert result.stderr == ""
    assert result.stdout == (
        f"Wrote to {directory}:\n"
        "  ca.crt   the CA certificate, for clients to trust\n"
        "  tls.crt  the serving certificate\n"
        "  tls.key  its private key, readable by you alone\n"
        "Names:   localhost, 127.0.0.1, ::1\n"
        f"Expires: {expiry:%Y-%m-%d %H:%M} UTC, 30 days from now\n"
        f"Next:    dind-webhook serve --tls-dir '{directory}'\n"
    )


def test_names_and_addresses_given_replace_the_default_ones(tmp_path: Path) -> None:
    result = run(
        "issue", "--dir", tmp_path, "--dns", "a.test", "--dns", "B.test", "--ip", "10.0.0.1"
    )
    assert "Names:   a.test, b.test, 10.0.0.1\n" in result.stdout
    assert names_in(tmp_path) == (["a.test", "b.test"], [ip_address("10.0.0.1")])


@pytest.mark.parametrize(("days", "words"), [("1", "1 day"), ("365", "365 days")])
def test_a_set_lasts_as_many_days_as_asked(days: str, words: str, tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    result = run("issue", "--dir", tmp_path, "--days", days)
    after = datetime.now(UTC)
    validity = timedelta(days=int(days))
    ca = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    for certificate in (ca, serving_in(tmp_path)):
        assert before + validity <= certificate.not_valid_after_utc <= after + validity
    assert f", {words} from now\n" in result.stdout


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "tls.key").write_text("mine")
    result = run("issue", "--dir", tmp_path)
    assert result.stderr == (
        f"Error: {tmp_path} already has tls.key; --force replaces all three files.\n"
    )
    assert result.exit_code == os.EX_CANTCREAT
    assert [path.name for path in tmp_path.iterdir()] == ["tls.key"]
    assert (tmp_path / "tls.key").read_text() == "mine"


def test_a_link_to_nowhere_is_kept(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").symlink_to("nowhere")
    result = run("issue", "--dir", tmp_path)
    assert result.stderr == (
        f"Error: {tmp_path} already has ca.crt; --force replaces all three files.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["ca.crt"]


def test_force_replaces_the_whole_set(tmp_path: Path) -> None:
    run("issue", "--dir", tmp_path)
    former = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run("issue", "--dir", tmp_path, "--force").exit_code == 0
    latter = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert former.keys() == latter.keys()
    assert all(former[name] != latter[name] for name in former)


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--dns", "a_b", f"'a_b' is not a DNS name {NAMES_RULE}"),
        ("--dns", "::1", "'::1' is an IP address, not a DNS name."),
        ("--ip", "1.2", f"'1.2' is not an IP address {ADDRESS_RULE}"),
        ("--days", "0", "0 is not in the range 1<=x<=365."),
        ("--days", "366", "366 is not in the range 1<=x<=365."),
        ("--days", "-1", "-1 is not in the range 1<=x<=365."),
        ("--days", "1.5", "'1.5' is not a valid integer range."),
        ("--days", "month", "'month' is not a valid integer range."),
        ("--dir", "", "the name of the directory is empty (the current directory is '.')."),
    ],
    ids=[
        "bad-name",
        "address-as-name",
        "bad-address",
        "no-days",
        "too-many-days",
        "negative-days",
        "half-days",
        "days-in-words",
        "empty-directory",
    ],
)
def test_bad_usage_is_one_sentence_and_nothing_is_written(
    option: str, value: str, why: str, tmp_path: Path
) -> None:
    result = run("issue", "--dir", tmp_path, option, value)
    assert result.stdout == ""
    assert result.stderr == (
        f"Error: Invalid value for '{option}': {why}\nTry 'dind-certs issue --help'.\n"
    )
    assert result.exit_code == os.EX_USAGE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence", "usage"),
    [
        (["issue"], "Missing option '--dir'.", "dind-certs issue"),
        (["isue"], "No such command 'isue'.", "dind-certs"),
        (["--dir"], "No such option '--dir'.", "dind-certs"),
        (
            ["issue", "--forced"],
            "No such option '--forced'. Did you mean '--force'?",
            "dind-certs issue",
        ),
    ],
    ids=["no-directory", "unknown-command", "option-before-command", "unknown-option"],
)
def test_a_wrong_command_is_one_sentence_and_a_hint(
    arguments: list[str], sentence: str, usage: str
) -> None:
    result = run(*arguments)
    assert result.stdout == ""
    assert result.stderr == f"Error: {sentence}\nTry '{usage} --help'.\n"
    assert result.exit_code == os.EX_USAGE


def test_no_command_shows_the_help() -> None:
    result = run()
    assert result.stderr.startswith("Usage: dind-certs [OPTIONS] COMMAND")
    assert "issue" in result.stderr
    assert result.exit_code == os.EX_USAGE


def test_a_directory_that_is_not_writable_is_named(locked: Path) -> None:
    result = run("issue", "--dir", locked)
    assert result.stderr == f"Error: Nothing was written to {locked}: Permission denied.\n"
    assert result.exit_code == os.EX_CANTCREAT
    assert list(locked.iterdir()) == []


@pytest.mark.parametrize(
    ("directory", "why"),
    [("file", "Not a directory"), ("missing/tls", "No such file or directory")],
    ids=["a-file", "missing-parent"],
)
def test_a_directory_that_cannot_be_is_named(directory: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("issue", "--dir", tmp_path / directory)
    assert result.stderr == f"Error: Nothing was written to {tmp_path / directory}: {why}.\n"
    assert result.exit_code == os.EX_CANTCREAT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_force_does_not_replace_a_directory(tmp_path: Path) -> None:
    (tmp_path / "tls.key").mkdir()
    result = run("issue", "--dir", tmp_path, "--force")
    assert result.stderr == (
        f"Error: Nothing was written to {tmp_path}: tls.key is there and is not a file.\n"
    )
    assert result.exit_code == os.EX_CANTCREAT
    assert [path.name for path in tmp_path.iterdir()] == ["tls.key"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """A process that may write no file at all stands for the disk."""
    directory = tmp_path / "tls"
    command = [sys.executable, "-c", "from certs.cli import main; main()", "issue"]
    command += ["--dir", str(directory)]
    result = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == f"Error: Nothing was written to {directory}: File too large.\n"
    assert result.returncode == os.EX_CANTCREAT
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_printed_as_by_dind_webhook() -> None:
    """The installed program, since click takes the name from the command line."""
    program = Path(sys.executable).with_name("dind-certs")
    result = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"dind-certs {__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", [[], ["issue"], ["run"], ["show"]], ids=" ".join)
def test_every_command_has_a_help(command: list[str], flag: str) -> None:
    result = run(*command, flag)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: {' '.join(['dind-certs', *command])} [OPTIONS]")
    assert "-h, --help" in result.stdout


def test_issue_does_not_load_the_kubernetes_client(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom certs.cli import main\n"
        f"main(['issue', '--dir', {str(tmp_path)!r}], standalone_mode=False)\n"
        "print(sorted({'kubernetes', 'rich', 'structlog'} & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stderr == "[]\n"
