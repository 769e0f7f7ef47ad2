"""Placement `container`: the daemon among the ordinary containers."""

from unit.injection.pods import (
    container,
    decided,
    empty_dir,
    injected,
    mount,
    mounts,
    named,
    pod,
    problems,
)

from webhook.injection import Injected

CONFIG = {"profiles": {"default": {"placement": "container"}}}


def test_the_daemon_is_the_last_ordinary_container() -> None:
    """`kubectl logs` and `kubectl exec` mean the first one."""
    after = injected(pod(container("build"), container("test")), CONFIG)
    assert [each["name"] for each in after["spec"]["containers"]] == ["build", "test", "dind"]
    assert "initContainers" not in after["spec"]
    assert "restartPolicy" not in named(after, "dind")


def test_placement_changes_only_the_restart_policy() -> None:
    native = named(injected(pod()), "dind")
    native.pop("restartPolicy")
    assert named(injected(pod(), CONFIG), "dind") == native


def test_init_containers_get_no_socket_from_a_daemon_that_starts_last() -> None:
    raw = pod(
        initContainers=[container("clone", volumeMounts=[mount("w", "/w")])],
        volumes=[empty_dir("w")],
    )
    after = injected(raw, CONFIG)
    assert named(after, "clone") == named(raw, "clone")
    assert mounts(after, "main") == {"/var/run": "cache-dir"}


def test_init_containers_cannot_be_named_with_a_daemon_that_starts_last() -> None:
    raw = pod(initContainers=[container("clone")], annotations={"containers": "clone"})
    assert problems(raw, CONFIG) == [
        ('annotation dind.io/containers: unknown container "clone" (available in this pod: main)')
    ]


def test_existing_injections_keep_their_placement() -> None:
    """Between two calls for one pod the configuration file may have changed."""
    before = injected(pod(initContainers=[container("clone")]), CONFIG)
    decision = decided(before)
    assert isinstance(decision, Injected)
    assert decision.patch == []
