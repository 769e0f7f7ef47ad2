"""dind-start.sh under every shell, in network and cgroup namespaces like a pod's."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shells

from webhook.config.certificates import LARGEST_FILE
from webhook.injection.scripts import CHECK_NODE, CHECK_NODE_AND_START, START

NO_IP6TABLES = "--ip6tables=false"
RECORD = """#!/bin/sh
printf '%s\\n' "$0" "$@"
"""


@pytest.fixture(params=shells.NAMES)
def shell(request: pytest.FixtureRequest) -> Iterator[shells.Shell]:
    with shells.opened(request.param) as opened:
        opened.add("dockerd-entrypoint.sh", RECORD)
        yield opened


def start(
    shell: shells.Shell,
    *flags: str,
    inside: list[str] | None = None,
    with_ip6tables: bool = False,
    **environment: str,
) -> tuple[list[str], list[str]]:
    """Runs the script, and returns the words of the command that it became and its log lines.

    The part about cgroups is off: test_start_script_cgroups.py runs it. The flag --ip6tables=false,
    which depends on the machine's network, is left out unless the test asks for it.

    Args:
        shell: what runs it
        flags: dockerd's
        inside: a command that runs its arguments somewhere else
        with_ip6tables: whether the words contain --ip6tables=false
        environment: the container's
    """
    ended = subprocess.run(
        [*(inside or []), *shell.command, "-c", shell.relocated(START), "dind-start", *flags],
        env={"PATH": str(shell.path), "DIND_CGROUP": "off", **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    program, *words = ended.stdout.splitlines()
    if NO_IP6TABLES in words[:2] and not with_ip6tables:
        words.remove(NO_IP6TABLES)
    return [program.rpartition("/")[2], *words], ended.stderr.splitlines()


def mtu_flags(mtu: int) -> list[str]:
    return [f"--mtu={mtu}", f"--default-network-opt=bridge=com.docker.network.driver.mtu={mtu}"]


def test_the_images_entrypoint_gets_dockerd_and_its_flags_unchanged(shell: shells.Shell) -> None:
    flags = ["--group=2375", "--label=a b  c", "--label=$HOME *", "--mtu=1400"]
    command, log = start(shell, *flags)
    assert command == ["dockerd-entrypoint.sh", "dockerd", *flags]
    assert log == []


def test_an_image_without_the_entrypoint_runs_dockerd(shell: shells.Shell) -> None:
    (shell.path / "dockerd-entrypoint.sh").rename(shell.path / "dockerd")
    command, log = start(shell, "--mtu=1400", "--debug")
    assert command == ["dockerd", "--mtu=1400", "--debug"]
    assert log == []


def test_in_a_pod_without_its_user_namespace_no_daemon_starts(shell: shells.Shell) -> None:
    script = shell.relocated(CHECK_NODE_AND_START)
    ended = subprocess.run(
        [*shell.command, "-c", script, "dind-start", "--mtu=1400"],
        env={"PATH": str(shell.path), "DIND_CGROUP": "off"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "this node cannot run a Docker daemon in a user namespace: the pod has none, although "
        "hostUsers is false (Kubernetes 1.33, containerd 2.0 and Linux 6.3 are needed)\n"
    )


def test_on_a_prepared_node_the_daemon_starts_and_keeps_the_variables_of_its_image(
    shell: shells.Shell, tmp_path: Path
) -> None:
    """The check has variables of the same names."""
    files = {
        "/proc/self/uid_map": "0 524288 65536\n",
        "/proc/self/status": f"CapEff:\t{2**41 - 1:016x}\n",
        "/proc/self/mounts": f"cgroup {tmp_path} cgroup2 rw,nosuid 0 0\n",
    }
    check = CHECK_NODE.replace("/sys/fs/cgroup", str(tmp_path))
    for number, (path, text) in enumerate(files.items()):
        (tmp_path / str(number)).write_text(text)
        check = check.replace(path, str(tmp_path / str(number)))
    (tmp_path / "cgroup.controllers").touch()
    shell.add("pivot_root", "#!/bin/sh\necho 'No such file or directory' >&2\nexit 1\n")
    variables = dict.fromkeys(("bits", "capability", "cgroups", "owner"), "the image's")
    show = "".join(f'echo "{name}=${name}"\n' for name in variables)
    shell.add("dockerd-entrypoint.sh", f"#!/bin/sh\n{show}")
    ended = subprocess.run(
        [
            *(
                *shell.command,
                "-c",
                shell.relocated(CHECK_NODE_AND_START.replace(CHECK_NODE, check)),
            ),
            *("dind-start", "--mtu=1400"),
        ],
        env={"PATH": str(shell.path), "DIND_CGROUP": "off", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [f"{name}=the image's" for name in variables]
    assert not (tmp_path / "dind-check-node").exists()


def test_the_hook_finds_the_log_of_the_container(shell: shells.Shell) -> None:
    shell.add("dockerd-entrypoint.sh", RECORD + f"echo 'from the hook' >{shell.path}/dind/log\n")
    _, log = start(shell, "--mtu=1400")
    assert log == ["from the hook"]


def test_a_given_mtu_is_taken(shell: shells.Shell) -> None:
    command, log = start(shell, "--debug", DIND_MTU="1234")
    assert command[2:] == [*mtu_flags(1234), "--debug"]
    assert log == []


@pytest.mark.parametrize("flags", [["--mtu=1400"], ["--mtu", "1400"]], ids=["one", "two"])
def test_an_mtu_among_the_flags_wins(shell: shells.Shell, flags: list[str]) -> None:
    command, log = start(shell, "--debug", *flags, DIND_MTU="1234")
    assert command[2:] == ["--debug", *flags]
    assert log == []


def network(*commands: str) -> list[str]:
    """A command that runs its arguments in a network with one interface pod0, its MTU 1450."""
    setup = [
        "mount -t sysfs sysfs /sys",  # shows the interfaces of the namespace that mounts it
        "ip link add pod0 mtu 1450 type veth peer name peer0 mtu 1460",
        "ip link set pod0 up",
        "ip link set peer0 up",
        *commands,
    ]
    script = " && ".join(f"PATH={os.environ['PATH']} {line}" for line in setup)
    unshare = shells.found("unshare")
    shells.found("ip")
    return [unshare, "--net", "--mount", "/bin/sh", "-c", f'{script} && exec "$@"', "network"]


IPV4 = ["ip address add 192.0.2.2/24 dev pod0", "ip route add default via 192.0.2.1 dev pod0"]
IPV6 = [
    "ip address add 2001:db8::2/64 dev pod0 nodad",
    "ip route add default via 2001:db8::1 dev pod0",
]
TWO_ROUTES = [*IPV4, "ip route add default dev peer0 metric 50"]


@shells.needs_namespaces
@pytest.mark.parametrize(
    "commands",
    [IPV4, IPV6, TWO_ROUTES, ["ip link set pod0 name eth0"]],
    ids=["IPv4", "IPv6 only", "preferred of two", "eth0 without a route"],
)
@pytest.mark.parametrize("environment", [{}, {"DIND_MTU": "auto"}], ids=["unset", "auto"])
def test_the_bridges_get_the_mtu_of_the_default_routes_interface(
    shell: shells.Shell, commands: list[str], environment: dict[str, Any]
) -> None:
    command, log = start(shell, "--debug", inside=network(*commands), **environment)
    assert command[2:] == [*mtu_flags(1450), "--debug"]
    assert log == []


@shells.needs_namespaces
def test_a_pod_without_a_network_starts_dockerd_with_one_line(shell: shells.Shell) -> None:
    command, log = start(shell, "--debug", inside=network())
    assert command == ["dockerd-entrypoint.sh", "dockerd", "--debug"]
    assert log == ["dind-start: cannot find the pod's MTU; nested networks keep dockerd's 1500"]


@shells.needs_namespaces
def test_an_mtu_that_is_no_number_is_named_and_detected(shell: shells.Shell) -> None:
    command, log = start(shell, inside=network(*IPV4), DIND_MTU="14OO")
    assert command[2:] == mtu_flags(1450)
    assert log == ["dind-start: DIND_MTU is '14OO', neither 'auto' nor a number; detecting the MTU"]


@shells.needs_namespaces
@pytest.mark.parametrize(
    ("commands", "flags"),
    [([], [NO_IP6TABLES]), (IPV4, [NO_IP6TABLES]), (IPV6, []), ([*IPV4, *IPV6], [])],
    ids=["no address", "IPv4", "IPv6", "dual-stack"],
)
def test_ip6tables_are_left_out_in_pods_without_ipv6(
    shell: shells.Shell, commands: list[str], flags: list[str]
) -> None:
    command, _ = start(shell, "--mtu=1400", inside=network(*commands), with_ip6tables=True)
    assert command[2:] == [*flags, "--mtu=1400"]


@shells.needs_namespaces
@pytest.mark.parametrize("flag", ["--ip6tables", "--ip6tables=true", "--config-file=/x"])
def test_a_setting_of_ip6tables_wins(shell: shells.Shell, flag: str) -> None:
    command, _ = start(shell, "--mtu=1400", flag, inside=network(*IPV4), with_ip6tables=True)
    assert command[2:] == ["--mtu=1400", flag]


@shells.needs_namespaces
def test_ip6tables_in_the_configuration_file_of_the_image_win(shell: shells.Shell) -> None:
    config = "mount -t tmpfs tmpfs /etc && mkdir /etc/docker && echo '{\"ip6tables\": true}'"
    inside = network(*IPV4, f"{config} >/etc/docker/daemon.json")
    command, _ = start(shell, "--mtu=1400", inside=inside, with_ip6tables=True)
    assert command[2:] == ["--mtu=1400"]


@pytest.fixture
def files(shell: shells.Shell) -> Path:
    """A directory for files that the script writes."""
    return shell.path / "files"


def test_files_are_written_before_dockerd_starts(shell: shells.Shell, files: Path) -> None:
    contents = [
        "server = 'x'\n\n[host.\"https://m\"]\n",
        "a  $HOME `b` \\n * %s\n\n\n",
        "no newline",
    ]
    variables: dict[str, Any] = {
        f"DIND_FILE_{number}": f"{files}/certs.d/registry:{number}/hosts.toml\n{content}"
        for number, content in enumerate(contents)
    }
    shell.add("dockerd-entrypoint.sh", f"{RECORD}cat {files}/certs.d/registry:1/hosts.toml >&2\n")
    command, log = start(shell, "--mtu=1400", "--debug", **variables)
    assert command == ["dockerd-entrypoint.sh", "dockerd", "--mtu=1400", "--debug"]
    assert log == ["a  $HOME `b` \\n * %s", "", ""]
    for number, content in enumerate(contents):
        assert (files / f"certs.d/registry:{number}/hosts.toml").read_text() == content


def test_dockerd_does_not_inherit_the_files(shell: shells.Shell, files: Path) -> None:
    shell.add("dockerd-entrypoint.sh", f'{RECORD}test -z "$DIND_FILE_0$DIND_FILE_1"\n')
    variables: dict[str, Any] = {
        f"DIND_FILE_{number}": f"{files}/{number}\nx" for number in range(2)
    }
    start(shell, "--mtu=1400", **variables)


def test_a_file_of_the_largest_size_is_written(shell: shells.Shell, files: Path) -> None:
    content = "0123456789abcde\n" * (LARGEST_FILE // 16)
    start(shell, "--mtu=1400", DIND_FILE_0=f"{files}/ca.pem\n{content}")
    assert (files / "ca.pem").read_text() == content


def test_a_file_that_cannot_be_written_is_named(shell: shells.Shell, files: Path) -> None:
    (shell.path / "plain").touch()
    variables: dict[str, Any] = {
        "DIND_FILE_0": f"{shell.path}/plain/x\na",
        "DIND_FILE_1": f"{files}/y\nb",
    }
    command, log = start(shell, "--mtu=1400", **variables)
    assert command[1:] == ["dockerd", "--mtu=1400"]
    assert log == [f"dind-start: cannot write {shell.path}/plain/x"]
    assert (files / "y").read_text() == "b"


TEMPLATE = 'a = "Basic @AUTH@"\nb = "Basic @AUTH@"\n'


@pytest.mark.parametrize(
    "password", ["p", "a b$c`\\'\"%s@AUTH@", "x" * 500], ids=["short", "odd", "long"]
)
def test_credentials_of_a_secret_are_put_into_the_file(
    shell: shells.Shell, files: Path, password: str
) -> None:
    secret = shell.path / "secret"
    secret.mkdir()
    (secret / "username").write_text("robot\n")
    (secret / "password").write_text(password)
    _, log = start(shell, "--mtu=1400", DIND_FILE_0=f"{files}/hosts.toml {secret}\n{TEMPLATE}")
    assert log == []
    encoded = base64.b64encode(f"robot:{password}".encode()).decode()
    assert (files / "hosts.toml").read_text() == TEMPLATE.replace("@AUTH@", encoded)
    assert (files / "hosts.toml").stat().st_mode & 0o777 == 0o600


def test_a_secret_without_a_password_is_named(shell: shells.Shell, files: Path) -> None:
    secret = shell.path / "secret"
    secret.mkdir()
    (secret / "username").write_text("robot")
    _, log = start(shell, "--mtu=1400", DIND_FILE_0=f"{files}/hosts.toml {secret}\n{TEMPLATE}")
    line = f"dind-start: cannot write {files}/hosts.toml with the username and password in {secret}"
    assert log == [line]
    assert not (files / "hosts.toml").exists()


@pytest.fixture
def client(shell: shells.Shell) -> Path:
    """The directory of the Docker client of the container `build`."""
    return shell.path / "dind/clients/build"


PLUGINS = {"cliPluginsExtraDirs": ["/root/.docker/cli-plugins", "/home/$x `b`/.docker"]}
KUBECTL = {"username": "ci", "password": 'a}{"\\ $x`y`%s\\n', "email": "", "auth": "Y2k6eA=="}
SECRETS = {
    "as kubectl writes it": {"auths": {"registry.example": KUBECTL}},
    "other keys": {"credHelpers": {"a": "b"}, "HttpHeaders": {"X": "{ }"}, "auths": {}},
    "a key that is also in the proxies": {"proxies": {"default": {"noProxy": "*"}}},
    "no key": {},
}


def give(client: Path, shell: shells.Shell, *files: str, keys: Any = PLUGINS) -> list[str]:
    """Runs the script with more files for the client; returns its log."""
    paths = [shell.path / f"more-{number}.json" for number in range(len(files))]
    for path, text in zip(paths, files, strict=True):
        path.write_text(text)
    words = " ".join([client.name, *map(str, paths)])
    _, log = start(shell, "--mtu=1400", DIND_CLIENT_0=f"{words}\n{json.dumps(keys)}")
    return log


@pytest.mark.parametrize("indent", [None, 1, "\t"], ids=["one line", "lines", "tabs"])
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_the_configuration_of_a_client_has_the_keys_of_all_files(
    shell: shells.Shell, client: Path, secret: dict[str, Any], indent: Any
) -> None:
    proxies = {"proxies": {"default": {"httpProxy": "http://proxy.example"}}}
    text = f"\n {json.dumps(secret, indent=indent)} \r\n"
    assert give(client, shell, json.dumps(proxies), text) == []
    config = json.loads((client / "config.json").read_text())
    assert config == {**PLUGINS, **proxies, **secret}


@pytest.mark.parametrize("text", ["{}", " {\n}\n", "null", ""])
def test_a_file_without_keys_adds_nothing(shell: shells.Shell, client: Path, text: str) -> None:
    assert give(client, shell, text) == []
    assert json.loads((client / "config.json").read_text()) == PLUGINS


def test_a_secret_of_the_largest_size_is_written(shell: shells.Shell, client: Path) -> None:
    auths = {f"{number}.example": {"auth": "x" * 1000} for number in range(1000)}
    assert give(client, shell, json.dumps({"auths": auths})) == []
    assert json.loads((client / "config.json").read_text()) == {**PLUGINS, "auths": auths}


def test_every_user_of_the_container_may_change_the_configuration(
    shell: shells.Shell, client: Path
) -> None:
    assert give(client, shell, "{}") == []
    modes = {path: path.stat().st_mode & 0o777 for path in (client, *client.rglob("*"))}
    assert modes == {client: 0o777, client / "buildx": 0o777, client / "config.json": 0o666}


def test_what_the_container_has_changed_survives_a_restart(
    shell: shells.Shell, client: Path
) -> None:
    give(client, shell)
    (client / "config.json").write_text("{}")
    (client / "buildx/current").write_text("own")
    (client / "buildx").chmod(0o700)
    assert give(client, shell) == []
    assert (client / "config.json").read_text() == "{}"
    assert (client / "buildx").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in client.rglob("*")) == ["buildx", "config.json", "current"]


def test_each_client_has_a_configuration_of_its_own(shell: shells.Shell, client: Path) -> None:
    (shell.path / "secret.json").write_text('{"auths": {}}')
    variables: dict[str, Any] = {
        "DIND_CLIENT_0": f'build {shell.path}/secret.json\n{{"a": 1}}',
        "DIND_CLIENT_1": 'database\n{"b": 2}',
    }
    shell.add("dockerd-entrypoint.sh", f'{RECORD}echo "$DIND_CLIENT_0$DIND_CLIENT_1" >&2\n')
    _, log = start(shell, "--mtu=1400", **variables)
    assert log == [""]
    assert json.loads((client / "config.json").read_text()) == {"a": 1, "auths": {}}
    assert json.loads((client.parent / "database/config.json").read_text()) == {"b": 2}


def test_a_client_without_its_secret_is_named(shell: shells.Shell, client: Path) -> None:
    variables: dict[str, Any] = {
        "DIND_CLIENT_0": f"build {shell.path}/absent\n{{}}",
        "DIND_CLIENT_1": "database\n{}",
    }
    _, log = start(shell, "--mtu=1400", **variables)
    assert log == ["dind-start: cannot write the configuration of the Docker client in build"]
    assert not (client / "config.json").exists()
    assert (client.parent / "database/config.json").exists()


@pytest.mark.parametrize("with_ca", [True, False])
def test_builders_of_a_client_find_the_cas_in_its_own_directory(
    shell: shells.Shell, client: Path, files: Path, with_ca: bool
) -> None:
    ca = f'ca = ["{files}/buildkit/ca-0.crt"]\n' if with_ca else ""
    toml = '[registry."a.example"]\n' + ca + '\n[registry."b.example"]\nhttp = true\n'
    variables: dict[str, Any] = {"DIND_FILE_0": f"{files}/buildkitd.toml\n{toml}"}
    if with_ca:
        variables["DIND_FILE_1"] = f"{files}/buildkit/ca-0.crt\nPEM"
    host = f"--host=unix://{files}/docker.sock"
    command, log = start(shell, host, "--mtu=1400", **variables, DIND_CLIENT_0="build\n{}")
    assert (command[2:], log) == ([host, "--mtu=1400"], [])
    written = client / "buildx/buildkitd.default.toml"
    directory = "/etc/dind/docker/buildx/buildkit"
    assert written.read_text() == toml.replace(f"{files}/buildkit", directory)
    assert (files / "buildkitd.toml").read_text() == toml
    if with_ca:
        assert (client / "buildx/buildkit/ca-0.crt").read_text() == "PEM"
    assert all(path.stat().st_mode & 0o006 == 0o006 for path in client.rglob("*"))


def test_credentials_are_never_words_of_a_command(shell: shells.Shell, client: Path) -> None:
    log = shell.path / "words"
    for tool in ("tr", "sed", "cp", "mv", "mkdir", "chmod"):
        real = (shell.path / tool).resolve()
        name = f"{real} {tool}" if real.name == "busybox" else str(real)
        shell.add(tool, f'#!/bin/sh\necho "$@" >>{log}\nexec {name} "$@"\n')
    keys = {"auths": {"a": {"auth": "s3cr3t"}}}
    assert give(client, shell, json.dumps(keys)) == []
    assert json.loads((client / "config.json").read_text()) == {**PLUGINS, **keys}
    assert "config.json" in log.read_text()
    assert "s3cr3t" not in log.read_text()


def assigned_names(script: str) -> set[str]:
    """The names of all variables that a script assigns, and some other words."""
    lists = re.findall(r"\bread -r ([\w ]+)", script)
    names = {name for words in lists for name in words.split()}
    names.update(re.findall(r"\b([a-z_]+)=", script), re.findall(r"\bfor (\w+) in", script))
    return names - {"_"}


def test_dockerd_gets_the_variables_of_the_profile_and_the_image_unchanged(
    shell: shells.Shell, files: Path, client: Path
) -> None:
    """The shell would export what the script assigns to variables of the same names."""
    names = assigned_names(START)
    assert {"path", "content", "credentials", "number", "mtu", "scope", "members"} <= names
    secret = shell.path / "secret"
    secret.mkdir()
    (secret / "username").write_text("robot")
    (secret / "password").write_text("s3cr3t")
    environments = shell.path / "environments"
    for tool in ("tr", "mkdir", "cat", "chmod", "mv", "base64", "ln"):
        real = (shell.path / tool).resolve()
        name = f"{real} {tool}" if real.name == "busybox" else str(real)
        shell.add(tool, f'#!/bin/sh\n/usr/bin/env >>{environments}\nexec {name} "$@"\n')
    shell.add("dockerd-entrypoint.sh", f"{RECORD}/usr/bin/env -0 >{shell.path}/seen\n")
    variables: dict[str, Any] = {
        **dict.fromkeys(names, "the user's"),
        "DIND_FILE_0": f"{files}/hosts.toml {secret}\n{TEMPLATE}",
        "DIND_FILE_1": f"{files}/ca.pem\n{'x' * (LARGEST_FILE - 1)}\n",
        "DIND_CLIENT_0": f"build {secret}/password\n{{}}",
        "DIND_CLIENT_1": "database\n{}",
    }
    _, log = start(shell, f"--host=unix://{files}/docker.sock", **variables)
    assert log == []
    encoded = base64.b64encode(b"robot:s3cr3t").decode()
    assert (files / "hosts.toml").read_text() == TEMPLATE.replace("@AUTH@", encoded)
    assert (files / "ca.pem").stat().st_size == LARGEST_FILE
    assert (client / "config.json").exists()
    exported = (shell.path / "seen").read_text().split("\0")
    seen = dict(variable.split("=", 1) for variable in exported if variable)
    assert {name: seen.get(name) for name in names} == dict.fromkeys(names, "the user's")
    assert not {name for name in seen if name.startswith(("DIND_FILE", "DIND_CLIENT"))}
    assert encoded not in environments.read_text()
    assert "s3cr3t" not in environments.read_text()


def test_the_text_that_rides_in_every_pod_is_short() -> None:
    assert len(START) < 6144
