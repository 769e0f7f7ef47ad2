"""How long a job's build takes on a fresh and on a warm image store, and in mode node.

Needs the directory tests on PYTHONPATH, for its cluster.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from kube.waiting import until
from msgspec import Struct
from node.cluster import Cluster
from node.conftest import new_namespace
from node.doing import IDLE, in_container, using
from node.images import STATIC_BUSYBOX
from node.injecting import job
from node.pods import await_phase, create
from node.product import Product
from node.registries import start_registry

from benchmarks.figures import Goal, Spread, goal_table, machine, ratio, spread, table
from benchmarks.node.starting import timestamp

TIMES_FRESH = 0.1
_NAME = "build"
_DOCKERFILE = Path(__file__).with_name("Dockerfile").read_text()
_CHANGED = _DOCKERFILE.replace("echo 1", "echo 2")
_MAKE_BASE = f"""
set -eu
mkdir -p /base/bin
cp {STATIC_BUSYBOX} /base/bin/busybox
/base/bin/busybox --install /base/bin
dd if=/dev/urandom of=/base/data bs=1M count=200 2>/dev/null
tar -C /base -c . | docker import - $0 >/dev/null
docker push --quiet $0
"""
# Prints the seconds of the build. The first numbers of /proc/uptime have hundredths of a second.
_BUILD = """
set -eu
mkdir -p /tmp/build && cd /tmp/build
cat >Dockerfile <<'END'
{dockerfile}
END
read -r began _ </proc/uptime
docker build --quiet --build-arg=BASE={base} --tag built . >/dev/null
read -r ended _ </proc/uptime
echo "$began $ended"
"""
# Prints the KiB on the disk of the daemon's data root.
_DISK = "du -skx \"$(docker info --format '{{.DockerRootDir}}')\""
# The registry has no name, because the daemon of the node would not know it.
_PLAIN_HTTP = {"extraArgs": ["--insecure-registry=10.96.0.0/12"]}
_VALUES = {
    "node": {"enabled": True, **_PLAIN_HTTP},
    "config": {
        "profiles": {
            "default": {"daemon": _PLAIN_HTTP},
            "warm": {"daemon": _PLAIN_HTTP, "storage": {"persistent": {"share": "trusted"}}},
            "node": {"mode": "node"},
        },
        "policy": {"profiles": {"*": ["default", "warm", "node"]}},
    },
}
FRESH, WARM, CHANGED = "fresh store", "warm store", "warm store, one changed line"
EMPTY_DIR, NODE = "emptyDir", "mode node, warm"


class Built(Struct, frozen=True):
    """One job.

    Attributes:
        started: seconds from the CREATE request to the job's first instruction.
        build: seconds that `docker build` took.
        disk: MiB that the image store held after it; None in mode node.
    """

    started: float
    build: float
    disk: float | None


def report(rounds: int) -> Iterator[str]:
    """Measure on a cluster of its own; yields the lines of the report.

    Args:
        rounds: builds of each kind.
    """
    yield machine()
    with Cluster() as cluster, TemporaryDirectory() as directory:
        values = Path(directory) / "values.yaml"
        values.write_text(json.dumps(_VALUES))
        Product(cluster).install(f"--values={values}")
        with new_namespace(cluster) as namespace:
            registry = start_registry(cluster, namespace, "registry.test:5000")
            base = f"{registry.address}:{registry.port}/base"
            _run(cluster, namespace, "default")
            in_container(cluster, namespace, _NAME, "job", _MAKE_BASE.replace("$0", base))
            _delete(cluster, namespace)
            rows = _measure(cluster, base, rounds)
    yield f"{rounds} rounds; seconds: median (least..most)"
    yield from build_table(rows)
    builds = ratio(*([each.build for each in rows[name]] for name in (WARM, FRESH)))
    starts = ratio(*([each.started for each in rows[name]] for name in (WARM, FRESH)))
    yield from goal_table(
        [
            Goal("build on a warm store / on a fresh one", builds.median, TIMES_FRESH),
            Goal("start on a warm store / on a fresh one", starts.median, None),
        ]
    )


def _measure(cluster: Cluster, base: str, rounds: int) -> dict[str, list[Built]]:
    rows: dict[str, list[Built]] = {name: [] for name in (EMPTY_DIR, FRESH, WARM, CHANGED, NODE)}
    for number in range(rounds + 1):
        # A namespace of its own: its first store is fresh.
        with new_namespace(cluster) as namespace:
            for kind, profile, dockerfile in (
                (EMPTY_DIR, "default", _DOCKERFILE),
                (FRESH, "warm", _DOCKERFILE),
                (WARM, "warm", _DOCKERFILE),
                (CHANGED, "warm", _CHANGED),
                (NODE, "node", _DOCKERFILE),
            ):
                started = _run(cluster, namespace, profile)
                script = _BUILD.format(dockerfile=dockerfile, base=base)
                times = in_container(cluster, namespace, _NAME, "job", script)
                began, ended = map(float, times.split())
                disk = None if kind is NODE else _disk(cluster, namespace)
                _delete(cluster, namespace)
                if number > 0:  # the first round fills the caches, and the daemon of the node
                    rows[kind].append(Built(started, ended - began, disk))
    return rows


def _run(cluster: Cluster, namespace: str, profile: str) -> float:
    """Start a job that waits; returns the seconds until its first instruction."""
    manifest = using(profile, job(_NAME, f"echo started\n{IDLE}"))
    requested = time.time()
    create(cluster, namespace, manifest)
    await_phase(cluster, namespace, _NAME, "Running")
    path = f"/api/v1/namespaces/{namespace}/pods/{_NAME}/log"
    options = {"container": "job", "timestamps": "true"}
    found: list[str] = []

    def has_started() -> bool:
        found[:] = cluster.client.get(path, params=options).text.split()
        return "started" in found

    until(has_started, "the job's first line")
    return timestamp(found[0]) - requested


def _disk(cluster: Cluster, namespace: str) -> float:
    return int(in_container(cluster, namespace, _NAME, "dind", _DISK).split()[0]) / 1024


def _delete(cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/{_NAME}"
    cluster.client.delete(path).raise_for_status()
    until(lambda: cluster.client.get(path).status_code == 404, "its end", seconds=60)  # noqa: PLR2004


def build_table(rows: Mapping[str, Sequence[Built]]) -> Iterator[str]:
    """Every kind of job, with its build next to that on a fresh store."""
    fresh = rows[FRESH]
    heads = ("", "job starts", "docker build", "times a fresh store", "store")
    cells = [
        (
            name,
            f"{spread([each.started for each in built]):.2f}",
            f"{spread([each.build for each in built]):.2f}",
            f"{_times(built, fresh):.2f}" if built is not fresh else "",
            f"{spread(disks):.0f} MiB" if (disks := [b.disk for b in built if b.disk]) else "",
        )
        for name, built in rows.items()
    ]
    return table(heads, cells)


def _times(built: Sequence[Built], fresh: Sequence[Built]) -> Spread:
    return ratio([each.build for each in built], [each.build for each in fresh])
