"""dind-start.sh on cgroup v2: real groups, seen through a mount namespace like a container's.

Limits that hold are proved with a real dockerd elsewhere. Here: which processes move, what is
bound, and that a second run changes nothing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import shells

from webhook.injection.scripts import START

pytestmark = shells.needs_namespaces

CAP_SYS_RESOURCE = 24
NO_CGROUP2 = 77  # exit status

# What the script becomes. It plays a dockerd that starts one container where
# that is safe, and tells what it sees.
ENTRYPOINT = f"""#!{sys.executable} -IS
import json, pathlib, subprocess

top = pathlib.Path("/sys/fs/cgroup")

def words(path):
    path = pathlib.Path(path)
    return path.read_text().split() if path.exists() else []

def own_group(pid):
    return next(word[3:] for word in words(f"/proc/{{pid}}/cgroup") if word.startswith("0::"))

mounts = [line.split() for line in open("/proc/self/mountinfo")]
seen = {{
    "daemon": own_group("self"),
    "members of the top": words(top / "cgroup.procs"),
    "handed down": words(top / "cgroup.subtree_control"),
    "controllers": words(top / "cgroup.controllers"),
    "mounts": [mount[3:5] for mount in mounts if mount[4].startswith(str(top))],
    "oom_score_adj": words("/proc/self/oom_score_adj"),
}}
if seen["daemon"].endswith("/init"):
    nested = top / "docker" / "nested"
    nested.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as container:
        (nested / "cgroup.procs").write_text(str(container.pid))
        seen["container"] = own_group(container.pid)
        named = top / seen["container"].lstrip("/") / "cgroup.procs"
        seen["found by its name"] = words(named) == [str(container.pid)]
print(json.dumps(seen))
"""

# A mount namespace with the node's cgroup2 tree at the usual place, as a privileged pod sees it.
NODE = f"""
cd /sys/fs/cgroup
if [ ! -e cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit {NO_CGROUP2}
  cd /sys/fs/cgroup
fi
"""

# The container's group, with one controller where the kernel has one to give. Prints the
# controller if the root group did not hand it down before.
CREATE = """
mkdir -p "./$GROUP"
controller=$(sed 's/.* //' cgroup.controllers)
[ -n "$controller" ] || exit 0
grep -qw "$controller" cgroup.subtree_control || echo "$controller"
path=.
for part in $(echo "$GROUP" | tr / ' '); do
  echo "+$controller" >"$path/cgroup.subtree_control"
  path=$path/$part
done
"""

# The controller stays while another run of these tests still uses it.
REMOVE = """
find "./$(echo "$GROUP" | cut -d / -f 2)" -depth -type d -exec rmdir {} +
[ -z "$CONTROLLER" ] || echo "-$CONTROLLER" >cgroup.subtree_control || true
"""

# `start` is the script, in the container's group and with the score of a burstable pod.
BEGIN = 'PATH=$TOOLS "$SHELL_PROGRAM" $APPLET -c "$SCRIPT" dind-start --mtu=1400'
ENTER = f"""
echo $$ >"./$GROUP/cgroup.procs"
echo 968 >/proc/$$/oom_score_adj
cd /
start() {{ {BEGIN}; }}
"""

UNCONFINED = "; nested containers are not held by the pod's limits"


def on_node(steps: str, **environment: str) -> tuple[str, list[str]]:
    """Runs steps in a private mount namespace; returns stdout and the lines on stderr."""
    ended = subprocess.run(
        [shells.found("unshare"), "--mount", "/bin/sh", "-c", NODE + steps],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if ended.returncode == NO_CGROUP2:
        pytest.skip("cgroup2 cannot be mounted here")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr.splitlines()


@dataclass(frozen=True)
class Container:
    """A container's group, named as /proc/PID/cgroup names it, and its image's shell."""

    group: str
    shell: shells.Shell

    def run(self, steps: str, **environment: str) -> tuple[list[dict[str, Any]], list[str]]:
        """Runs steps inside; returns what each `start` saw, and the log."""
        seen, log = on_node(
            ENTER + steps,
            GROUP=self.group,
            SCRIPT=self.shell.relocated(START),
            TOOLS=str(self.shell.path),
            SHELL_PROGRAM=self.shell.command[0],
            APPLET=" ".join(self.shell.command[1:]),
            **environment,
        )
        return [json.loads(line) for line in seen.splitlines()], log

    def bound_at(self, seen: dict[str, Any]) -> list[str]:
        """Where the container's group is mounted as a tree of its own."""
        return [place for root, place in seen["mounts"] if root == self.group]


@pytest.fixture(params=shells.NAMES)
def container(request: pytest.FixtureRequest) -> Iterator[Container]:
    group = f"/dind-test-{os.getpid()}/pod/container"
    with shells.opened(request.param) as shell:
        shell.add("dockerd-entrypoint.sh", ENTRYPOINT)
        added, _ = on_node(CREATE, GROUP=group)
        yield Container(group, shell)
        on_node(REMOVE, GROUP=group, CONTROLLER=added.strip())


def may_lower_the_score() -> bool:
    status = Path("/proc/self/status").read_text()
    capabilities = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(capabilities.split()[1], 16) >> CAP_SYS_RESOURCE & 1)


def test_nested_containers_lie_inside_the_pods_group(container: Container) -> None:
    (seen,), _ = container.run("start")
    assert seen["daemon"] == f"{container.group}/init"
    assert seen["container"] == f"{container.group}/docker/nested"
    assert seen["found by its name"]
    assert container.bound_at(seen) == ["/sys/fs/cgroup", f"/sys/fs/cgroup{container.group}"]


def test_all_processes_move_and_all_controllers_are_handed_down(container: Container) -> None:
    (seen,), _ = container.run("sleep 60 & start; kill $!")
    assert seen["members of the top"] == []
    assert seen["handed down"] == seen["controllers"]


def test_a_second_run_changes_nothing(container: Container) -> None:
    (first, second), _ = container.run("start; start")
    assert second == first


def test_a_second_run_repairs_a_lost_view(container: Container) -> None:
    """The processes have moved, and the node's tree is back at the top."""
    (first, second), _ = container.run("start; umount -l /sys/fs/cgroup; start")
    assert second == first


def test_a_cgroup_namespace_needs_no_bind(container: Container) -> None:
    steps = f"umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && {BEGIN}"
    (seen,), _ = container.run('unshare --cgroup --mount /bin/sh -c "$STEPS"', STEPS=steps)
    assert seen["daemon"] == "/init"
    assert seen["container"] == "/docker/nested"
    assert seen["handed down"] == seen["controllers"]
    assert ["/", "/sys/fs/cgroup"] in seen["mounts"]
    assert [f"/{container.group}", "/sys/fs/cgroup"] not in seen["mounts"]


def test_an_entrypoint_that_makes_a_cgroup_namespace_is_left_to_do_it(container: Container) -> None:
    """It could not unmount the tree under what is bound, and would warn of that."""
    container.shell.add("dockerd-entrypoint.sh", f"{ENTRYPOINT}# It runs unshare --cgroup.\n")
    container.shell.add("unshare", f'#!/bin/sh\nexec {shells.found("unshare")} "$@"\n')
    (seen,), log = container.run("start")
    assert seen["daemon"] == container.group
    assert container.bound_at(seen) == []
    assert log == []


def test_an_image_whose_unshare_makes_no_cgroup_namespace_needs_the_bind(
    container: Container,
) -> None:
    container.shell.add("dockerd-entrypoint.sh", f"{ENTRYPOINT}# It runs unshare --cgroup.\n")
    container.shell.add("unshare", "#!/bin/sh\nexit 1\n")
    (seen,), _ = container.run("start")
    assert seen["daemon"] == f"{container.group}/init"


@pytest.mark.parametrize(
    "steps", ["start", "mount -t tmpfs tmpfs /sys/fs/cgroup; start"], ids=["v2", "v1"]
)
def test_the_daemon_is_not_the_first_victim(container: Container, steps: str) -> None:
    (seen,), log = container.run(steps)
    assert seen["oom_score_adj"] == ["-100" if may_lower_the_score() else "0"]
    assert log == []


def test_a_read_only_tree_starts_dockerd_as_it_is_with_one_line(container: Container) -> None:
    (seen,), log = container.run("mount -o remount,bind,ro /sys/fs/cgroup; start")
    assert seen["daemon"] == container.group
    assert container.bound_at(seen) == []
    assert log == [
        f"dind-start: cannot bind {container.group} over /sys/fs/cgroup{UNCONFINED}",
    ]


def test_the_part_can_be_switched_off(container: Container) -> None:
    (seen,), log = container.run("start", DIND_CGROUP="off")
    assert seen["daemon"] == container.group
    assert container.bound_at(seen) == []
    assert log == []
