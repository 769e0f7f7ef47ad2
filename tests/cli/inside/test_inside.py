"""`ps`, `images`, `df`, `top` and `logs` against a server that answers as an API server would."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli.inside.api_server import KUBECONFIG, MANIFEST, Inside, World, failure, lines, made
from cli.running import decoded, run

from webhook.cli.inside import daemon
from webhook.cli.inside.output import DfOutput, ImagesOutput, LogsOutput, PsOutput, TopOutput

CONTAINERS = [
    {
        "ID": "0123456789ab",
        "Names": "web",
        "Image": "registry.example.com/team/project/application:1.2.3-20260101",
        "Command": '"/bin/sleep 1000"',
        "State": "running",
        "Status": "Up 3 minutes",
        "CreatedAt": "2026-01-01 00:00:00 +0000 UTC",
        "Ports": "",
    },
    {"ID": "1", "Names": "\x1b[31mred[bold]", "Image": "a", "Status": "Exited (0)", "Command": "x"},
]
IMAGES = [{"ID": "sha256:0123456789abcdef", "Repository": "made", "Tag": "latest", "Size": "4MB"}]
USAGE = [
    {"Type": kind, "TotalCount": "1", "Active": "1", "Size": "4.2MB", "Reclaimable": "0B (0%)"}
    for kind in ("Images", "Containers", "Local Volumes", "Build Cache")
]
PS = """\
NAME               IMAGE                         STATUS        COMMAND
web                registry.example.com/team/pr  Up 3 minutes  "/bin/sleep 1000"
                   oject/application:1.2.3-2026
                   0101
\\x1b[31mred[bold]  a                             Exited (0)    x
"""
WARM = "{storage: {persistent: {share: trusted}}}"
STORES = "/var/lib/dind-webhook/ci/default"


def configuration(tmp_path: Path, profile: str) -> str:
    """The flag for a configuration file with this profile as the default."""
    path = tmp_path / "config.yaml"
    path.write_text(
        f"apiVersion: dind.io/v1alpha1\nprofiles: {{default: {profile}}}\n"
        "policy: {profiles: {'*': [default]}}\n"
    )
    return f"--config={path}"


_ID = "b88e9e0d0e460f84ef22694ac78c64036d777eab39ea7240dcec83e82d20f5e3"
_STEP = "rl2bhb9fwr0cozxd5q3zy5akp"
# Printed by cgroups.sh next to dockerd 29 on cgroup v1, both nested loops at a low priority.
MEASURED = f"""\
uptime 15496.00
./docker/cpuacct.usage:43157690644
./docker/buildkit/cpuacct.usage:20640124497
./docker/buildkit/{_STEP}/cpuacct.usage:20634829991
./docker/{_ID}/cpuacct.usage:22511192028
./cpuacct.usage:44621542893
uptime 15497.00
./docker/cpuacct.usage:43540715579
./docker/buildkit/cpuacct.usage:20841385780
./docker/buildkit/{_STEP}/cpuacct.usage:20836091274
./docker/{_ID}/cpuacct.usage:22692955680
./cpuacct.usage:45008961089
./memory.stat:inactive_file 41062400
./memory.stat:total_inactive_file 41062400
./docker/buildkit/{_STEP}/memory.stat:inactive_file 0
./docker/buildkit/{_STEP}/memory.stat:total_inactive_file 0
./docker/buildkit/{_STEP}/memory.usage_in_bytes:339968
./docker/{_ID}/memory.stat:inactive_file 0
./docker/{_ID}/memory.stat:total_inactive_file 0
./docker/{_ID}/memory.usage_in_bytes:339968
./memory.usage_in_bytes:139128832
./docker/buildkit/{_STEP}/cgroup.procs:/bin/sh -c while :; do :; done\x20
""".encode()
BUSY = [
    {
        "ID": "b88e9e0d0e46",
        "Names": "web",
        "Image": "made",
        "Command": '"sh -c \'while :; do …"',
        "State": "running",
    },
    {"ID": "1", "Names": "ended", "State": "exited"},
]
TOP = """\
Limits of the sidecar: memory 4Gi

TYPE        NAME          CPU   MEMORY  COMMAND
sidecar     dind          387m  93Mi
build-step  rl2bhb9fwr0c  201m  332Ki   /bin/sh -c while :; do :; done
container   web           182m  332Ki   "sh -c 'while :; do …"
"""


def test_ps_lists_nested_containers_within_80_columns(world: World, inside: Inside) -> None:
    """Foreign text is neither markup nor reaches the terminal as an escape sequence."""
    world.output = lines(CONTAINERS)
    result = inside("ps")

    assert (result.stdout, result.stderr, result.exit_code) == (PS, "", 0)
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_docker_is_asked_at_the_socket_of_the_pod(
    tmp_path: Path, world: World, inside: Inside
) -> None:
    world.pod = made(MANIFEST, configuration(tmp_path, "{socket: {directory: /run/ci}}"))
    inside("ps")

    (command,) = world.commands
    docker = command.index("docker")
    assert command[:docker] == [
        *("env", "DOCKER_CONFIG=/var/dind/docker-config"),
        *("timeout", "-s", "KILL", "20"),
    ]
    assert command[docker + 1 :] == [
        *("--host=unix:///run/ci/docker.sock", "container", "ls", "--all"),
        *("--format", "json"),
    ]


def test_ps_prints_json(world: World, inside: Inside) -> None:
    world.output = lines(CONTAINERS)
    result = inside("ps", "-o", "json")

    data = json.loads(result.stdout)
    assert (data["namespace"], data["pod"]) == ("ci", "job")
    assert [container["name"] for container in data["containers"]] == ["web", "\x1b[31mred[bold]"]
    assert set(data["containers"][0]) == {
        *("id", "name", "image", "command", "state", "status", "created", "ports"),
    }
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("ps", PsOutput),
        ("images", ImagesOutput),
        ("df", DfOutput),
        ("top", TopOutput),
        ("logs", LogsOutput),
    ],
)
def test_json_is_that_of_the_schema(
    world: World, inside: Inside, command: str, kind: type[msgspec.Struct]
) -> None:
    world.output = lines({"ps": CONTAINERS, "images": IMAGES, "df": USAGE}.get(command, []))
    world.measured, world.log = MEASURED, b"first\n"
    decoded(inside(command, "-o", "json").stdout, kind)


def test_images_are_listed(world: World, inside: Inside) -> None:
    world.output = lines(IMAGES)

    text = inside("images").stdout
    assert text.splitlines() == [
        "REPOSITORY  TAG     ID            SIZE",
        "made        latest  0123456789ab  4MB",
    ]
    (image,) = json.loads(inside("images", "-o", "json").stdout)["images"]
    assert image["id"] == "sha256:0123456789abcdef"


def test_df_names_the_image_store_and_what_uses_it(world: World, inside: Inside) -> None:
    world.output = lines(USAGE)
    result = inside("df")

    assert result.stdout.splitlines()[:4] == [
        "Image store: emptyDir, at most 20Gi",
        "",
        "TYPE           TOTAL  ACTIVE  SIZE   RECLAIMABLE",
        "Images         1      1       4.2MB  0B (0%)",
    ]
    assert json.loads(inside("df", "-o", "json").stdout)["store"] == {
        "kind": "emptyDir",
        "limit": "20Gi",
        "name": "",
        "directory": "",
        "state": "",
    }


def test_df_names_the_pvc(tmp_path: Path, world: World, inside: Inside) -> None:
    claim = "{storage: {sizeLimit: 40Gi, volumeClaimTemplate: {spec: {storageClassName: fast}}}}"
    world.pod = made(MANIFEST, configuration(tmp_path, claim))

    first = inside("df").stdout.splitlines()[0]
    assert first == "Image store: PVC job-dind-storage, requests 40Gi"


@pytest.mark.parametrize(
    ("log", "store"),
    [
        (
            f"dind-start: image store {STORES}/0: warm (3 jobs before)\n",
            (f"{STORES}/0", "warm (3 jobs before)"),
        ),
        (
            (
                f"dind-start: image store {STORES}/0 is not used again: old\n"
                f"dind-start: image store {STORES}/1: fresh\n"
            ),
            (f"{STORES}/1", "fresh"),
        ),
        (
            (
                f"dind-start: no image store in {STORES}: no flock; this pod starts with an empty "
                "one of its own\n"
            ),
            (STORES, "not used: no flock; this pod starts with an empty one of its own"),
        ),
        (
            "time=... level=info\n",
            (STORES, "unknown: the log of the sidecar no longer begins with it"),
        ),
    ],
    ids=["warm", "a store set aside", "no store", "a rotated log"],
)
def test_df_names_the_warm_store_and_its_state(
    tmp_path: Path, world: World, inside: Inside, log: str, store: tuple[str, str]
) -> None:
    world.pod = made(MANIFEST, configuration(tmp_path, WARM))
    world.log = log.encode()

    assert inside("df").stdout.splitlines()[:2] == [
        f"Image store: {store[0]} on the node",
        f"State: {store[1]}",
    ]


def test_df_works_without_the_right_to_read_logs(
    tmp_path: Path, world: World, inside: Inside
) -> None:
    world.pod = made(MANIFEST, configuration(tmp_path, WARM))
    world.output, world.rejects, world.rejection = lines(USAGE), "/log", 403

    result = inside("df")
    assert result.exit_code == 0
    assert "State: unknown: you may not read logs of pods in namespace ci" in result.stdout


def test_logs_are_printed_without_escape_sequences(world: World, inside: Inside) -> None:
    world.log = b"first\n\x1b]0;title\x07 a\tb \xff\r\n"
    result = inside("logs", "--tail", "7")

    assert result.stdout == "first\n\\x1b]0;title\\x07 a    b \N{REPLACEMENT CHARACTER}\n"
    assert world.queries[0]["tailLines"] == ["7"]
    lines_of_json = json.loads(inside("logs", "-o", "json").stdout)["lines"]
    assert lines_of_json[0] == "first"


def test_logs_of_an_ended_daemon_are_printed(world: World, inside: Inside) -> None:
    terminated = {"exitCode": 1, "reason": "Error"}
    world.pod, world.log = made(state={"terminated": terminated}), b"failed\n"

    assert inside("logs").stdout == "failed\n"


def test_the_log_from_before_a_restart_needs_a_restart(world: World, inside: Inside) -> None:
    result = inside("logs", "--previous")
    assert result.exit_code == 69
    assert result.stderr == "Error: pod ci/job: container dind was not restarted\n"

    world.pod, world.log = made(restartCount=1), b"before\n"
    assert inside("logs", "--previous").stdout == "before\n"
    assert world.queries[-1]["previous"] == ["true"]


def test_a_log_that_is_cut_gets_a_warning(
    world: World, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API server keeps the beginning of what it was asked for."""
    monkeypatch.setattr(daemon, "LONGEST_LOG", 6)
    world.log = b"first\n"

    result = inside("logs")
    assert world.queries[0]["limitBytes"] == ["6"]
    assert (result.exit_code, result.stdout) == (0, "first\n")
    assert result.stderr == (
        "Warning: the log is cut after 6 bytes; a smaller --tail prints its end\n"
    )


def test_tables_are_bounded(world: World, inside: Inside) -> None:
    """A pod may print anything, and a table of a million lines takes minutes."""
    long = {"Names": "x" * 1_000_000}
    world.output = lines([long]) + b"{}\n" * 1_200
    result = inside("ps")

    assert result.stdout.splitlines()[-1] == "201 more; -o json prints all of them"
    assert result.stdout.count("x") == 197
    assert len(json.loads(inside("ps", "-o", "json").stdout)["containers"]) == 1_201


@pytest.mark.parametrize("output", [b"{}\n" * 20_001, b"[" + b"{}," * 20_000 + b"{}]"])
def test_more_containers_than_a_node_can_run_are_an_error(
    world: World, inside: Inside, output: bytes
) -> None:
    world.output = output
    result = inside("ps", "-o", "json")
    assert (result.exit_code, result.stdout) == (69, "")
    assert result.stderr.endswith("printed 20,001 lines (accepted: up to 20,000)\n")


def test_top_shows_containers_and_build_steps(world: World, inside: Inside) -> None:
    world.output, world.measured = lines(BUSY), MEASURED
    assert inside("top").stdout == TOP


def test_top_prints_json(world: World, inside: Inside) -> None:
    world.output, world.measured = lines(BUSY), MEASURED
    data = json.loads(inside("top", "-o", "json").stdout)

    assert data["limits"] == {"memory": "4Gi"}
    sidecar, step, container = data["usage"]
    assert (sidecar["type"], sidecar["name"]) == ("sidecar", "dind")
    assert sidecar["memory"] == 139128832 - 41062400
    assert (step["type"], step["id"]) == ("build-step", "rl2bhb9fwr0c")
    assert step["cpu"] == pytest.approx(0.201, abs=0.001)
    assert (container["name"], container["image"]) == ("web", "made")


def test_top_shows_running_containers_outside_the_pod_without_figures(
    world: World, inside: Inside
) -> None:
    """As on cgroup v2 if dind-start.sh cannot keep them in the cgroup of the pod."""
    elsewhere = {"ID": "2", "Names": "elsewhere", "State": "running", "Command": "x"}
    world.output, world.measured = lines([*BUSY, elsewhere]), MEASURED

    row = inside("top").stdout.splitlines()[-1]
    assert row.split() == ["container", "elsewhere", "-", "-", "x"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"status": failure(127), "errors": b"not in the image: find\n"},
            "cannot run, the image lacks a program: not in the image: find",
        ),
        ({"measured": b"uptime 1.00\n"}, "printed no use of CPU and memory: there are not two"),
        (
            {"measured": b"uptime 1.00\nuptime 2.00\n"},
            "printed no use of CPU and memory: the cgroup of the container is missing",
        ),
        ({"measured": b" " * 5_000_000}, "its output is longer than 4194304 bytes"),
    ],
)
def test_figures_that_cannot_be_read_are_named(
    world: World, inside: Inside, change: dict[str, Any], words: str
) -> None:
    world.output, world.measured = b"", MEASURED
    for name, value in change.items():
        setattr(world, name, value)
    result = inside("top")
    assert (result.exit_code, result.stdout) == (69, "")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


COMMANDS = ("ps", "images", "df", "top", "logs")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_pod_is_named(world: World, inside: Inside, command: str) -> None:
    world.pod = None
    result = inside(command)
    assert (result.exit_code, result.stderr) == (66, "Error: namespace ci has no pod job\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pod_without_a_daemon_is_named(world: World, inside: Inside, command: str) -> None:
    assert world.pod is not None
    del world.pod["spec"]["initContainers"]
    result = inside(command)
    assert result.exit_code == 66
    assert result.stderr == (
        "Error: pod ci/job has no injected Docker daemon; dind-webhook explain job -n ci says why\n"
    )


def test_a_pod_of_mode_node_is_named(tmp_path: Path, world: World, inside: Inside) -> None:
    world.pod = made(MANIFEST, configuration(tmp_path, "{mode: node}"))
    result = inside("ps")
    assert result.exit_code == 66
    assert "uses the Docker daemon of its node (mode node)" in result.stderr
    assert world.commands == []


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"waiting": {"reason": "PodInitializing"}}, "container dind: PodInitializing"),
        ({"terminated": {"exitCode": 0, "reason": "Completed"}}, "container dind: Completed"),
    ],
)
def test_a_daemon_that_does_not_run_is_named(
    world: World, inside: Inside, state: dict[str, Any], words: str
) -> None:
    world.pod = made(state=state)
    result = inside("ps")
    assert result.exit_code == 69
    assert result.stderr == f"Error: pod ci/job: the daemon does not run; {words}\n"
    assert world.commands == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pod_that_has_not_started_is_named(world: World, inside: Inside, command: str) -> None:
    assert world.pod is not None
    world.pod["status"] = {"phase": "Pending"}
    result = inside(command)
    assert result.exit_code == 69
    assert "container dind has not started; the pod is Pending, not ready" in result.stderr


@pytest.mark.parametrize(
    ("command", "rejects", "right"),
    [
        ("ps", "/exec", "get and create on pods/exec"),
        ("df", "/exec", "get and create on pods/exec"),
        ("logs", "/log", "get on pods/log"),
    ],
)
def test_a_missing_right_is_named(
    world: World, inside: Inside, command: str, rejects: str, right: str
) -> None:
    world.rejection, world.rejects = 403, rejects
    result = inside(command)
    assert result.exit_code == 77
    assert f"pods in namespace ci: the permission {right} is missing" in result.stderr
    assert "rbac.reader" not in result.stderr


@pytest.mark.parametrize(
    ("rejection", "code", "words"),
    [
        (401, 69, "does not know you (401 Unauthorized)"),
        (404, 69, "cannot exec into pod ci/job: 404 Not Found: no ?[31mway"),
        (500, 69, "cannot exec into pod ci/job: 500 Internal Server Error: no ?[31mway"),
    ],
)
def test_other_answers_of_the_api_server_are_errors(
    world: World, inside: Inside, rejection: int, code: int, words: str
) -> None:
    world.rejection = rejection
    result = inside("ps")
    assert (result.exit_code, result.stderr.count("\n")) == (code, 1)
    assert words in result.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": failure(137)}, "does not answer: nothing within 20 s"),
        (
            {"status": failure(1), "errors": b"Cannot connect \x1b[31m\n"},
            "docker in container dind ended with exit code 1: Cannot connect \\x1b[31m",
        ),
        (
            {"status": {"status": "Failure", "message": "no executable"}},
            "the command could not be started: no executable",
        ),
        ({"status": None}, "the connection ended before the command"),
        ({"output": b"<html>"}, "printed something else than JSON"),
        ({"output": b'{"ID": 7}'}, "printed something else than JSON"),
        ({"output": b"\xff"}, "printed something else than JSON"),
        ({"output": b'{"x":' * 10_000}, "printed something else than JSON"),
        ({"output": b" " * 5_000_000}, "its output is longer than 4194304 bytes"),
    ],
)
def test_a_docker_that_fails_is_named(
    world: World, inside: Inside, change: dict[str, Any], words: str
) -> None:
    for name, value in change.items():
        setattr(world, name, value)
    result = inside("ps")
    assert (result.exit_code, result.stdout) == (69, "")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_kubelet_that_does_not_answer_is_named(
    world: World, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "_SECONDS_OF_CONNECTION", -19)
    world.answers.clear()
    result = inside("ps")
    world.answers.set()
    assert result.exit_code == 69
    assert "docker in container dind does not answer" in result.stderr


def test_an_api_server_that_is_not_reached_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=1))
    result = run("ps", "job", "--kubeconfig", path)
    assert result.exit_code == 69
    assert "http://127.0.0.1:1 cannot be reached" in result.stderr


def test_an_empty_daemon_has_a_header_only(inside: Inside) -> None:
    assert inside("images").stdout == "REPOSITORY  TAG  ID  SIZE\n"


@pytest.mark.parametrize("argument", ["deployment/a", "pod/"])
def test_other_objects_than_pods_are_bad_usage(argument: str) -> None:
    assert run("ps", argument).exit_code == 64


@pytest.mark.parametrize("code", [429, 500, 503])
def test_an_error_of_the_api_server_has_its_message(
    world: World, inside: Inside, code: int
) -> None:
    world.rejection, world.rejects = code, "/job"
    result = inside("ps")
    assert result.exit_code == 69
    assert f" cannot answer: {code} " in result.stderr
    assert result.stderr.endswith(": no ?[31mway\n")


def test_a_long_error_is_cut(world: World, inside: Inside) -> None:
    world.rejection, world.rejects, world.message = 503, "/job", "no " * 100_000
    assert len(inside("ps").stderr) < 2000
