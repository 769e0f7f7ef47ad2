"""dind-start.sh under every shell, in network and cgroup namespaces like a pod's."""

import os
import subprocess
from collections.abc import Iterator

import pytest
import shells

from webhook.injection.scripts import START

RECORD = """#!/bin/sh
printf '%s\\n' "$0" "$@"
"""


@pytest.fixture(params=shells.NAMES)
def shell(request: pytest.FixtureRequest) -> Iterator[shells.Shell]:
    with shells.opened(request.param) as opened:
        opened.add("dockerd-entrypoint.sh", RECORD)
        yield opened


def start(
    shell: shells.Shell, *flags: str, inside: list[str] | None = None, **environment: str
) -> tuple[list[str], list[str]]:
    """Runs the script, and returns the words of the command that it became and its log lines.

    The part about cgroups is off: test_start_script_cgroups.py runs it.

    Args:
        shell: what runs it
        flags: dockerd's
        inside: a command that runs its arguments somewhere else
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
    shell: shells.Shell, commands: list[str], environment: dict[str, str]
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


def test_the_text_that_rides_in_every_pod_is_short() -> None:
    assert len(START) < 4096
