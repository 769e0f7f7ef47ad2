"""What the node's benchmark reads from logs and containerd's events, and how it compares shapes."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import Spread
from benchmarks.node.report import Row
from benchmarks.node.shapes import ANSWERED, FAILED, STARTED, all_shapes
from benchmarks.node.starting import Event, Line, Start, events_since, timestamp
from benchmarks.node.steps import STEPS, durations

DIND, CLI, PAUSE = (
    f"docker.io/library/{name}" for name in ("docker:29-dind", "docker:29-cli", "pause:3.10")
)


@pytest.mark.parametrize(
    "time",
    ["2026-11-24T11:21:21.25Z", "2026-11-24 11:21:21.250000000"],
    ids=["log", "event"],
)
def test_timestamps_have_fractions_of_a_second(time: str) -> None:
    assert timestamp(time) == 1795519281.25


def test_events_are_complete_and_not_older_than_the_request(tmp_path: Path) -> None:
    file = tmp_path / "events.log"
    line = "2026-11-24 11:21:{}.5 +0000 UTC k8s.io {}"
    file.write_text(
        "\n".join(
            [
                "level=warning",
                line.format(20, '/tasks/start {"container_id":"old","pid":1}'),
                line.format(22, '/tasks/start {"container_id":"new","pid":2}'),
                line.format(23, '/containers/create {"id":"new","runtime":{"name":"half"}'),
            ]
        )
    )

    events = events_since(file, timestamp("2026-11-24 11:21:21"))

    assert [(event.topic, event.container) for event in events] == [("/tasks/start", "new")]


def test_seconds_count_from_the_request() -> None:
    start = started(0.75, 1.5, failed=2)

    assert (start.app_started, start.answered, start.failed) == (0.75, 1.5, 2)


def test_shapes_are_compared_within_each_round() -> None:
    floor = Row("some", {0: started(0.5, 1.0), 1: started(0.5, 3.0), 2: started(0.5, 2.0)})
    every_other = Row("some", {0: started(0.5, 2.0), 2: started(0.5, 8.0)})

    assert every_other.after(floor) == Spread(median=3.5, least=1.0, most=6.0)
    assert every_other.times(floor) == Spread(median=3.0, least=2.0, most=4.0)


def test_steps_together_end_with_dockers_answer() -> None:
    took = durations(with_sidecar())

    assert list(took.values()) == [0.25] * len(STEPS)


def test_pods_without_the_sidecar_have_no_steps() -> None:
    with pytest.raises(LookupError, match="lack a step"):
        durations(started(0.5, 1.0))


def test_shapes_have_different_names_and_the_same_app() -> None:
    shapes = all_shapes()

    assert (
        len({shape.name for shape in shapes})
        == len({shape.manifest["metadata"]["name"] for shape in shapes})
        == 5
    )
    assert (
        len({tuple(shape.manifest["spec"]["containers"][-1]["command"]) for shape in shapes}) == 1
    )


NOW = 1795519281.0


def started(app: float, answer: float, *, failed: int = 0) -> Start:
    """A start by what its app said, this long after the request."""
    said = [(app, STARTED), *[(app, FAILED)] * failed, (answer, ANSWERED)]
    return Start(NOW, [Line(NOW + after, text) for after, text in said], [], [])


def with_sidecar() -> Start:
    """A start each of whose steps takes a quarter of a second."""
    return Start(
        NOW,
        app=[Line(NOW + 2.5, STARTED), Line(NOW + 2.75, ANSWERED)],
        daemon=[
            Line(NOW + 1.0, 'level=info msg="Starting up"'),
            Line(NOW + 1.25, 'level=info msg="Loading containers: start."'),
            Line(NOW + 1.5, 'level=info msg="Loading containers: done."'),
            Line(NOW + 1.75, 'level=info msg="API listen on /var/run/docker.sock"'),
        ],
        events=[
            event(0.25, "/containers/create", id="sandbox", image=PAUSE),
            event(0.3, "/tasks/start", container_id="sandbox"),
            event(0.5, "/containers/create", id="sidecar", image=DIND),
            event(0.75, "/tasks/start", container_id="sidecar"),
            event(0.8, "/tasks/exec-added", container_id="sidecar", exec_id="hook"),
            event(2.0, "/tasks/exit", container_id="sidecar", id="hook"),
            event(2.25, "/containers/create", id="app", image=CLI),
        ],
    )


def event(after: float, topic: str, **fields: Any) -> Event:
    """An event of containerd, this long after the request."""
    return Event(NOW + after, topic, fields)
