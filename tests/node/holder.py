"""Holds a node's namespaces while its standard input stays open, then removes everything.

    python holder.py DIRECTORY NAME

The process that started it has the other end of standard input. The kernel closes that end however
the process dies, so even a killed test run leaves no process, mount, interface, cgroup or file.
This file is run as a program: it imports the standard library only.

DIRECTORY contains the node's /var and /run, and is removed at the end. NAME is the name of its
cgroups. When the namespaces are ready, the pid of their process number 1 is printed.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

NODE_ADDRESS = "10.20.0.1"
SERVICE_RANGE = "10.96.0.0/16"

_CGROUPS = Path("/sys/fs/cgroup")
_END_SECONDS = 60

# The kubelet requires these values. They belong to the machine, so the node sees files instead.
_SYSCTLS = {
    "kernel/keys/root_maxbytes": "25000000",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
}


def main() -> None:
    """Creates the namespaces, waits for the end of standard input, removes them."""
    directory, name = Path(sys.argv[1]), sys.argv[2]
    signal.signal(signal.SIGTERM, _end)
    try:
        for group in _groups(name):
            group.mkdir()
        with subprocess.Popen(
            [
                *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *(sys.executable, __file__, "--inside", directory),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        ) as namespaces:
            try:
                assert namespaces.stdout is not None
                if namespaces.stdout.readline():
                    _say(str(_first_process(namespaces.pid)))
                    sys.stdin.read()
            finally:
                _end_namespaces(namespaces)
    finally:
        for group in _groups(name):
            _remove_group(group)
        shutil.rmtree(directory)


def inside(directory: Path) -> NoReturn:
    """Process number 1 of the namespaces: sets up mounts and network, then reaps orphans."""
    # Mounts of containers must propagate to the kubelet and back, but not to the host.
    _run("mount", "--make-rshared", "/")
    files = directory / "sysctl"
    files.mkdir()
    for name, value in _SYSCTLS.items():
        file = files / name.replace("/", ".")
        file.write_text(f"{value}\n")
        _run("mount", "--bind", file, f"/proc/sys/{name}")
    for own in ("var", "run"):
        (directory / own).mkdir()
    (directory / "var/run").symlink_to("/run")
    for own in ("var/log", "var/tmp", "run/lock"):
        (directory / own).mkdir()
    for own in ("var", "run"):
        _run("mount", "--bind", directory / own, f"/{own}")

    # Both ends are in this namespace. The routes lead nowhere, and that suffices: kube-proxy and
    # the pods' bridge redirect the packets to addresses of the node.
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "node", "type", "veth", "peer", "name", "node-peer")
    _run("ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", "node")
    _run("ip", "link", "set", "node", "up")
    _run("ip", "link", "set", "node-peer", "up")
    _run("ip", "route", "add", SERVICE_RANGE, "dev", "node")

    _say("ready")
    os.close(1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        signal.sigwait({signal.SIGCHLD})
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            continue


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _first_process(unshare: int) -> int:
    return int(Path(f"/proc/{unshare}/task/{unshare}/children").read_text())


def _end_namespaces(namespaces: subprocess.Popen[bytes]) -> None:
    """Kills process number 1; the kernel kills all others before it is gone."""
    try:
        os.kill(_first_process(namespaces.pid), signal.SIGKILL)
    except (OSError, ValueError):
        namespaces.kill()
    namespaces.wait()


def _groups(name: str) -> Iterator[Path]:
    """The node's cgroup in each hierarchy of version 1, or in the one of version 2."""
    if (_CGROUPS / "cgroup.controllers").exists():
        yield _CGROUPS / name
        return
    for hierarchy in sorted(_CGROUPS.iterdir()):
        if hierarchy.is_dir() and not hierarchy.is_symlink():
            yield hierarchy / name


def _remove_group(group: Path) -> None:
    """Removes a cgroup and those below it; the kernel may still hold their last process."""
    deadline = time.monotonic() + _END_SECONDS
    for below, _, _ in os.walk(group, topdown=False):
        while True:
            try:
                Path(below).rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                break


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        inside(Path(sys.argv[2]))
    main()
