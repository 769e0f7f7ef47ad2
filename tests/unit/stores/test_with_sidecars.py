"""The reclaimer and the scripts of the sidecar agree on what a store is, and on its lock."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import shells
from unit.stores.making import Node as Reclaimed
from unit.test_store_script import WARM
from unit.test_store_script import Node as Sidecars

from webhook.cluster.node_pods import Namespace, NodePod
from webhook.config import fields

pytestmark = shells.needs_namespaces


@pytest.fixture
def sidecars(reclaimed: Reclaimed) -> Iterator[Sidecars]:
    """Sidecars of namespace ci with the default profile, on the node of the reclaimer."""
    with shells.opened("busybox") as opened:
        node = Sidecars(opened)
        node.stores = reclaimed.directory / "ci/default"
        node.stores.mkdir(parents=True)
        yield node


@pytest.fixture
def reclaimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reclaimed:
    monkeypatch.setattr(fields, "SYSTEM_DIRECTORIES", ())
    return Reclaimed(tmp_path)


def run(reclaimed: Reclaimed, *pods: str) -> None:
    """Two rounds, of which the second deletes what the first renamed; these pods exist."""
    reclaimed.listed = {
        pod: NodePod(pod, "ci", f"pod-{pod}", {}, is_being_deleted=False) for pod in pods
    }
    reclaimer = reclaimed.reclaimer()
    for _ in range(2):
        assert reclaimer.run_round()
    assert reclaimed.metric("dind_image_stores_failed") == 0


def age(path: Path, seconds: float = 120) -> None:
    past = time.time() - seconds
    os.utime(path, (past, past))


def test_store_of_a_job_stays_for_the_next_one(sidecars: Sidecars, reclaimed: Reclaimed) -> None:
    sidecars.job("first", *WARM)
    run(reclaimed)
    (line, *_) = sidecars.job("second")
    assert line.endswith("warm (1 job before)")


def test_stores_in_use_stay(sidecars: Sidecars, reclaimed: Reclaimed) -> None:
    """Whatever the API server says, while the daemon runs."""
    with sidecars.daemon("running") as daemon:
        age(sidecars.stores / "0/pod")
        daemon.write("containerd/daemon/meta.db")
        reclaimed.known.clear()
        run(reclaimed)
        assert sidecars.names() == ["0"]
        assert sidecars.of_pod("running") == ["0"]
    run(reclaimed)
    assert sidecars.names() == []


def test_store_of_a_pod_that_vanished_is_free_for_the_next_one(
    sidecars: Sidecars, reclaimed: Reclaimed
) -> None:
    with sidecars.answering(), sidecars.daemon("vanished") as daemon:
        for name in WARM:
            daemon.write(name)
    age(sidecars.stores / "0/pod")
    run(reclaimed, "vanished")
    assert sidecars.of_pod("vanished") == ["0"]
    run(reclaimed)
    assert sidecars.of_pod("vanished") == []
    sidecars.job("next")
    assert sidecars.names() == ["0"]


def test_store_that_a_namespace_would_inherit_is_for_one_job_at_most(
    sidecars: Sidecars, reclaimed: Reclaimed
) -> None:
    sidecars.job("first", *WARM)
    run(reclaimed)
    with sidecars.daemon("second"):
        reclaimed.known["ci"] = Namespace("uid-of-another", time.time())
        run(reclaimed, "second")
        assert sidecars.names() == ["0"]
        sidecars.release("second")
    with sidecars.daemon("third") as daemon:
        assert daemon.seen["data"] == []
        assert sidecars.of_pod("third") == ["1"]


def test_store_that_was_set_aside_is_removed(sidecars: Sidecars, reclaimed: Reclaimed) -> None:
    sidecars.job("first", *WARM)
    (sidecars.stores / "0/version").write_text("0 1\n")
    with sidecars.daemon("second"):
        assert sidecars.names() == ["0", "0.unusable"]
        run(reclaimed, "second")
        assert sidecars.names() == ["0"]


def test_jobs_are_counted(sidecars: Sidecars, reclaimed: Reclaimed) -> None:
    reclaimer = reclaimed.reclaimer()
    reclaimer.run_round()
    for pod in ("first", "second", "third"):
        sidecars.job(pod, *WARM)
    reclaimer.run_round()
    counted = {
        warm: reclaimed.metric("dind_image_store_jobs_total", warm=warm)
        for warm in ("false", "true")
    }
    assert counted == {"false": 1, "true": 2}
