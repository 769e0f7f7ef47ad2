"""The tables and goals, as plain text for docs/start.md."""

from collections.abc import Iterator, Sequence

from node.cluster import Cluster
from node.product import Product

from benchmarks.node.rounds import Row, Spread, compare, spread
from benchmarks.node.shapes import all_shapes
from benchmarks.node.steps import STEPS, durations

WITHIN = 0.25  # seconds that our first answer may come after the floor's
SOONER = 5.0  # times that it must come sooner than actions-runner-controller's


def lines(rounds: int) -> Iterator[str]:
    """Measure on a cluster of its own, and tell all that came of it.

    Raises: what `Cluster` and `Product.install` do.
    """
    with Cluster() as cluster:
        yield _introduction(cluster, rounds)
        Product(cluster).install()
        floor, ours, probe, arc, article = compare(cluster, all_shapes(), rounds)
    yield ""
    yield from _comparison((floor, ours, probe, arc, article), floor)
    yield ""
    yield from _where_it_goes(ours)
    yield ""
    yield from _goals(floor, ours, arc)


def _introduction(cluster: Cluster, rounds: int) -> str:
    (node,) = cluster.client.get("/api/v1/nodes").raise_for_status().json()["items"]
    info = node["status"]["nodeInfo"]
    return (
        f"Kubernetes {info['kubeletVersion']}, {info['containerRuntimeVersion']}; {rounds} rounds; "
        "seconds from the request that creates the pod; median (least..most)"
    )


def _comparison(rows: Sequence[Row], floor: Row) -> Iterator[str]:
    heads = (
        "",
        "app starts",
        "docker answers",
        "after the floor",
        "times the floor",
        "failed calls",
    )
    yield _columns(*heads)
    for row in rows:
        failed = row.spread(lambda start: start.failed)
        yield _columns(
            row.shape.name,
            _text(row.spread(lambda start: start.app_started)),
            _text(row.spread(lambda start: start.answered)),
            _text(row.over(floor)) if row is not floor else "",
            _text(row.times(floor)) if row is not floor else "",
            f"{failed.median:.0f} ({failed.least:.0f}..{failed.most:.0f})",
        )


def _columns(name: str, *cells: str) -> str:
    return f"{name:26}{''.join(f'{cell:22}' for cell in cells)}".rstrip()


def _where_it_goes(ours: Row) -> Iterator[str]:
    took = [durations(start) for start in ours.starts.values()]
    yield "where dind-webhook's time goes"
    for step in STEPS:
        yield f"{step.name:48}{_text(spread([one[step.name] for one in took]))}"


def _goals(floor: Row, ours: Row, arc: Row) -> Iterator[str]:
    after = ours.over(floor).median
    sooner = arc.times(ours).median
    failed = sum(start.failed for start in ours.starts.values())
    yield _goal(
        f"docker answers within {WITHIN:g} s of the floor",
        f"{after:.2f} s",
        reached=after <= WITHIN,
    )
    yield _goal(
        f"{SOONER:g} times sooner than actions-runner-controller's",
        f"{sooner:.1f} times",
        reached=sooner >= SOONER,
    )
    yield _goal("no call that fails", f"{failed} failed", reached=not failed)


def _goal(wanted: str, found: str, *, reached: bool) -> str:
    return f"goal: {wanted:48} {found:12} {'reached' if reached else 'MISSED'}"


def _text(values: Spread) -> str:
    return f"{values.median:.2f} ({values.least:.2f}..{values.most:.2f})"
