"""Rounds of the reclaimer over real directories, with locks of other processes."""

import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from unit.stores.making import HOUR, Node, held, names

from webhook.cluster.client import ClusterError
from webhook.cluster.node_pods import Namespace, NodePod
from webhook.config import fields
from webhook.stores import layout, measuring, tree

REMOVED = "dind_image_stores_removed_total"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    # Directories of tests are in /tmp.
    monkeypatch.setattr(fields, "SYSTEM_DIRECTORIES", ())
    return Node(tmp_path)


def rounds(node: Node, count: int = 2, node_limit: int | None = None) -> None:
    reclaimer = node.reclaimer(node_limit)
    for _ in range(count):
        assert reclaimer.run_round(), node.log.text()


def test_free_stores_within_the_bounds_stay(node: Node) -> None:
    store = node.store(size=1000)
    rounds(node)
    assert node.names() == ["0"]
    assert (store / "data/layer").stat().st_size == 1000
    assert node.metric("dind_image_stores", state="free") == 1
    assert (node.metric("dind_image_store_bytes", state="free") or 0) >= 1000


def test_marks_of_pods_that_have_ended_are_removed(node: Node) -> None:
    store = node.store(pod="gone")
    rounds(node)
    assert node.names() == ["0"]
    assert not (store / "pod").exists()


def test_marks_of_running_and_of_new_pods_stay(node: Node) -> None:
    """A new pod may not be in the API server's cache yet."""
    store, new = node.store(pod=node.pod()), node.store("1", pod="new", age=5)
    rounds(node)
    assert (store / "pod").exists()
    assert (new / "pod").exists()
    assert node.metric("dind_image_stores", state="in-use") == 2


def test_marks_from_the_future_do_not_reserve_a_store(node: Node) -> None:
    store = node.store(pod="gone", age=-HOUR)
    rounds(node)
    assert not (store / "pod").exists()


def test_pods_of_other_namespaces_do_not_reserve_a_store(node: Node) -> None:
    store = node.store(pod=node.pod("other"))
    rounds(node)
    assert not (store / "pod").exists()


def test_locked_stores_are_left_alone(node: Node) -> None:
    """As after a forced deletion, while the containers of the pod still run."""
    store = node.store(pod="gone", age=3 * HOUR)
    aside = node.store("1.unusable")
    node.known.clear()
    with held(store), held(aside):
        rounds(node)
        assert node.names() == ["0", "1.unusable"]
        assert (store / "pod").exists()
    rounds(node)
    assert node.names() == []


def test_lock_is_free_after_a_round(node: Node) -> None:
    store = node.store(pod="gone")
    reclaimer = node.reclaimer()
    reclaimer.run_round()
    with held(store):
        pass


def test_stores_of_deleted_namespaces_are_removed(node: Node) -> None:
    node.store(where="gone/default", pod="gone")
    node.store(where="gone/other")
    node.store()
    rounds(node)
    assert node.names("gone/default") == node.names("gone/other") == []
    assert node.names() == ["0"]
    assert node.metric(REMOVED, reason="namespace") == 2


def test_directories_of_deleted_namespaces_are_removed_after_a_minute(node: Node) -> None:
    node.store(where="gone/default")
    rounds(node)
    past = time.time() - 120
    for path in (node.directory / "gone/default", node.directory / "gone"):
        os.utime(path, (past, past))
    rounds(node, 1)
    os.utime(node.directory / "gone", (past, past))
    rounds(node, 1)
    assert node.names(".") == []


def test_directory_of_a_pod_that_starts_stays(node: Node) -> None:
    directory = node.directory / "gone/default"
    directory.mkdir(parents=True)
    past = time.time() - 120
    os.utime(directory, (past, past))
    node.pod("gone")
    rounds(node)
    assert directory.exists()


def test_stores_of_a_namespace_made_again_are_removed(node: Node) -> None:
    store = node.store(age=HOUR)
    rounds(node)
    assert (store / "namespace").read_text() == "uid-of-ci\n"
    node.known["ci"] = Namespace("uid-of-another", time.time() - 2 * HOUR)
    rounds(node)
    assert node.names() == []


def test_stores_older_than_the_namespace_are_removed_at_first_sight(node: Node) -> None:
    node.store(age=HOUR)
    node.store("1", age=120)
    node.known["ci"] = Namespace("uid-of-another", time.time() - 600)
    rounds(node)
    assert node.names() == ["1"]


def test_stores_in_use_of_an_earlier_namespace_are_for_no_later_job(node: Node) -> None:
    """A sidecar takes no store without a version."""
    store = node.store(age=HOUR, pod=node.pod())
    node.known["ci"] = Namespace("uid-of-another", time.time() - 600)
    rounds(node)
    assert node.names() == ["0"]
    assert not (store / "version").exists()
    assert not (store / "namespace").exists()


def test_stores_of_profiles_that_are_not_persistent_any_more_are_removed(node: Node) -> None:
    node.store()
    node.store(where="ci/removed")
    node.store("1", pod=node.pod())
    node.write_configuration("{}")
    rounds(node)
    assert node.names() == ["1"]
    assert node.names("ci/removed") == []
    assert node.metric(REMOVED, reason="profile") == 2


def test_stores_of_profiles_with_another_directory_are_removed(node: Node) -> None:
    node.store()
    node.write_configuration(
        "profiles: {default: {storage: {persistent: {share: trusted, hostPath: /other}}}}"
    )
    rounds(node)
    assert node.names() == []


def test_stores_that_no_job_used_for_too_long_are_removed(node: Node) -> None:
    node.store(age=3 * HOUR)
    node.store("1", age=HOUR)
    node.store("2", age=3 * HOUR, pod=node.pod())
    rounds(node)
    assert node.names() == ["1", "2"]
    assert node.metric(REMOVED, reason="age") == 1


def test_stores_above_keep_are_removed_when_they_are_free(node: Node) -> None:
    """By default, keep is half of sizeLimit."""
    node.store(size=600_000)
    node.store("1", size=300_000)
    node.store("2", size=600_000, pod=node.pod())
    rounds(node)
    assert node.names() == ["1", "2"]
    assert node.metric(REMOVED, reason="size") == 1
    assert node.deleted == []


def test_stores_beyond_the_limit_of_the_node_are_removed_longest_unused_first(node: Node) -> None:
    for name, age in (("0", 300), ("1", 900), ("2", 600)):
        node.store(name, size=300_000, age=age)
    node.store("3", size=300_000, age=1200, pod=node.pod())
    rounds(node, node_limit=700_000)
    assert node.names() == ["0", "3"]
    assert node.metric(REMOVED, reason="node-limit") == 2


def test_stores_set_aside_damaged_or_incomplete_are_removed(node: Node) -> None:
    node.store("0.unusable", pod=node.pod())
    fifo, directory, incomplete = node.store("1"), node.store("2"), node.store("3")
    (fifo / "lock").unlink()
    os.mkfifo(fifo / "lock")
    (directory / "pod").mkdir()
    past = time.time() - 120
    os.utime(directory / "pod", (past, past))
    (incomplete / "lock").unlink()
    rounds(node)
    assert node.names() == []
    assert node.metric(REMOVED, reason="unusable") == 4


def test_stores_that_are_being_made_stay(node: Node) -> None:
    (node.directory / "ci/default/0").mkdir(parents=True)
    rounds(node)
    assert node.names() == ["0"]


def test_hostile_small_files_are_read_in_part(node: Node) -> None:
    store = node.store()
    with (store / "pod").open("wb") as file:
        file.truncate(2**40)
    (store / "jobs").unlink()
    os.mkfifo(store / "jobs")
    (store / "namespace").symlink_to("/dev/zero")
    past = time.time() - 120
    os.utime(store / "pod", (past, past))
    rounds(node)
    assert not (store / "pod").exists()
    assert (store / "namespace").read_text() == "uid-of-ci\n"


def test_whatever_is_not_a_store_is_left_alone(node: Node, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "default/0/data").mkdir(parents=True)
    (outside / "default/0/lock").touch()
    below = node.directory / "gone/default"
    below.mkdir(parents=True)
    (node.directory / "gone/link").symlink_to(outside / "default")
    (node.directory / "linked").symlink_to(outside)
    (node.directory / "lost+found/default/0").mkdir(parents=True)
    (node.directory / "file").touch()
    (below / "0").symlink_to(outside / "default/0")
    (below / "mysql").mkdir()
    (below / "00").mkdir()
    (below / os.fsdecode(b"\xff")).mkdir()
    (below / "1").write_text("no directory")
    for name in ("2", "3.old"):  # of another program, in a directory that is not only for stores
        (below / name / "data").mkdir(parents=True)
        os.utime(below / name, (1, 1))
    rounds(node)
    assert names(below) == ["0", "00", "1", "2", "3.old", "mysql", "\udcff"]
    assert node.names(".") == ["file", "gone", "linked", "lost+found"]
    assert names(outside / "default/0") == ["data", "lock"]


def test_many_entries_do_not_keep_a_round(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_STORES", 10)
    for number in range(25):
        node.store(str(number), where="gone/default")
    rounds(node, 5)
    assert node.names("gone/default") == []


def test_pod_with_too_large_a_store_is_deleted_after_an_event(node: Node) -> None:
    uid = node.pod()
    node.store(size=3 * 2**20, pod=uid)
    rounds(node)
    name = node.listed[uid].name
    assert node.names() == ["0"]
    assert node.deleted[0] == name
    assert node.events == [
        (
            name,
            "ImageStoreTooLarge",
            (
                "The image store holds 3.0Mi, more than 1Mi (storage.sizeLimit of profile default, "
                "or the annotation dind.io/storage); the pod is deleted."
            ),
        )
    ]


@pytest.mark.parametrize(
    ("policy", "is_deleted"),
    [("[profile, storage]", False), ("[profile]", True)],
    ids=["allowed", "not allowed any more"],
)
def test_the_limit_is_that_of_the_pods_annotation(
    node: Node, policy: str, is_deleted: bool
) -> None:
    node.configure(more=f"policy: {{annotations: {policy}}}\n")
    node.store(size=3 * 2**20, pod=node.pod(storage="1Gi"))
    rounds(node)
    assert bool(node.deleted) is is_deleted


def test_pod_that_is_being_deleted_is_not_deleted_again(node: Node) -> None:
    uid = node.pod()
    node.listed[uid] = NodePod(uid, "ci", "ends", {}, is_being_deleted=True)
    node.store(size=3 * 2**20, pod=uid)
    rounds(node)
    assert node.deleted == []


def test_pod_is_deleted_even_if_the_event_is_denied(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_: object) -> None:
        raise ClusterError("403 Forbidden")

    monkeypatch.setattr(node, "warn", deny)
    node.store(size=3 * 2**20, pod=node.pod())
    rounds(node, 1)
    assert len(node.deleted) == 1


def test_stores_in_use_are_measured_again_after_a_minute(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = node.store(pod=node.pod())
    reclaimer = node.reclaimer()
    reclaimer.run_round()
    (store / "data/more").write_bytes(b"x" * 3 * 2**20)
    reclaimer.run_round()
    assert node.deleted == []
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    reclaimer.run_round()
    assert len(node.deleted) == 1


def test_stores_without_a_mark_are_measured_again_until_the_daemon_has_ended(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the deletion of a pod, the mark goes first; the job may have a long grace period."""
    now = time.time()
    store = node.store(size=300_000)
    reclaimer = node.reclaimer()
    with held(store):
        reclaimer.run_round()
        (store / "data/more").write_bytes(b"x" * 100_000)
        monkeypatch.setattr(time, "time", lambda: now + 61)
        reclaimer.run_round()
        assert (node.metric("dind_image_store_bytes", state="free") or 0) > 400_000
        (store / "data/last").write_bytes(b"x" * 300_000)
    monkeypatch.setattr(time, "time", lambda: now + 122)
    reclaimer.run_round()
    assert node.names() == []
    assert node.metric(REMOVED, reason="size") == 1


def test_a_free_store_is_measured_once(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, original = [], measuring._steps

    def steps(store: layout.Store) -> Generator[None, None, tree.Size]:
        measured.append(store.name)
        return original(store)

    monkeypatch.setattr(measuring, "_steps", steps)
    node.store(size=300_000)
    reclaimer, now = node.reclaimer(), time.time()
    for minutes in range(5):
        monkeypatch.setattr(time, "time", lambda at=now + 61 * minutes: at)
        reclaimer.run_round()
    assert len(measured) == 1


def test_jobs_are_counted_by_warmth(node: Node) -> None:
    store = node.store()
    reclaimer = node.reclaimer()
    reclaimer.run_round()
    assert node.metric("dind_image_store_jobs_total", warm="false") == 0
    (store / "jobs").write_text("3\n")
    node.store("1")
    reclaimer.run_round()
    assert node.metric("dind_image_store_jobs_total", warm="true") == 2
    assert node.metric("dind_image_store_jobs_total", warm="false") == 1


def test_a_store_that_cannot_be_removed_is_logged_once_and_stops_no_other(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.store(age=3 * HOUR)
    node.store("1", age=3 * HOUR)
    retire = layout.retire

    def fail(store: layout.Store) -> bool:
        if store.name == "0":
            raise PermissionError(1, "Operation not permitted")
        return retire(store)

    monkeypatch.setattr(layout, "retire", fail)
    rounds(node)
    assert node.names() == ["0"]
    (line,) = [line for line in node.log.lines() if line["level"] == "warning"]
    assert line["store"] == f"{node.directory}/ci/default/0"
    assert line["error"] == "Operation not permitted"
    assert node.metric("dind_image_stores_failed") == 1


def test_nothing_is_removed_while_the_api_server_does_not_answer(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> dict[str, Namespace]:
        raise ClusterError("refused")

    monkeypatch.setattr(node, "namespaces", fail)
    store = node.store(pod="gone", where="gone/default")
    assert not node.reclaimer().run_round()
    assert (store / "pod").exists()
    assert node.metric("dind_image_store_rounds_total", result="failure") == 1


def test_a_changed_configuration_takes_effect_and_an_invalid_one_does_not(node: Node) -> None:
    node.store(size=300_000)
    reclaimer = node.reclaimer()
    reclaimer.run_round()
    node.write_configuration("profiles: {default: {storge: {}}}")
    reclaimer.run_round()
    reclaimer.run_round()
    assert node.names() == ["0"]
    reloads = "dind_image_store_configuration_reloads_total"
    assert node.metric(reloads, result="failure") == 1
    node.configure("sizeLimit: 100Ki")
    reclaimer.run_round()
    assert node.metric(reloads, result="success") == 1
    assert node.names() == []


def test_a_store_that_a_job_took_meanwhile_is_not_removed(node: Node) -> None:
    path = node.store(age=3 * HOUR)
    (store,) = layout.find_stores(str(node.directory)).stores
    os.utime(path / "lock")
    assert not layout.retire(store)
    assert node.names() == ["0"]
