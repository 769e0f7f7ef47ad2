"""Bounds on the size of a pod, so that no pod takes the webhook away from the others.

The webhook sees pods before the API server validates them. Counting the items of a decoded pod
costs less than decoding it.
"""

from collections.abc import Iterator
from itertools import chain

from webhook.injection.annotations import PREFIX, STATUS
from webhook.injection.decisions import Problem, quoted
from webhook.injection.pod import Container, Pod
from webhook.injection.reasons import Reason

CONTAINERS = 1_000
MOUNTS = 2_000
VOLUMES = 1_000
VARIABLES = 10_000
WORDS = 10_000
ITEMS = 10_000  # of every other list that is decoded
PATCH_OPERATIONS = 2_000
#: Characters of names, images, commands, arguments and mount paths. etcd takes objects of 1.5 MiB.
TEXT = 512 * 1024
OWN_ANNOTATIONS = 100
ANNOTATION_LENGTH = 4_096  # characters


def exceeded(pod: Pod, *, is_injected: bool) -> list[Problem]:
    """Find the bounds that a pod exceeds, all of them at once.

    Args:
        pod: the pod.
        is_injected: it carries an injection. An injection adds at most as much as the pod had, and
            the API server may call the webhook again with the result: that is twice as much.
    """
    factor = 2 if is_injected else 1
    counts = [
        (subject, count, what, bound * factor) for subject, count, what, bound in _counts(pod)
    ]
    counts += _annotation_counts(pod)
    return [
        too_large(subject, count, what, bound)
        for subject, count, what, bound in counts
        if count > bound
    ]


def too_large(subject: str, count: int, what: str, bound: int) -> Problem:
    """Describe an exceeded bound."""
    message = f"{subject} has {count:,} {what} (accepted: up to {bound:,})"
    return Problem(Reason.POD_TOO_LARGE, message)


def _counts(pod: Pod) -> Iterator[tuple[str, int, str, int]]:
    spec, metadata = pod.spec, pod.metadata
    containers = pod.all_containers()
    mounts = sum(len(container.volume_mounts or ()) for container in containers)
    variables = sum(len(container.env or ()) for container in containers)
    words = sum(len(c.command or ()) + len(c.args or ()) for c in containers)
    text = sum(map(_text, containers)) + sum(len(volume.name) for volume in pod.volumes)
    groups = spec.security_context.supplemental_groups if spec.security_context else None
    for count, what, bound in (
        (len(containers), "containers, init containers included", CONTAINERS),
        (mounts, "volumeMounts in all containers", MOUNTS),
        (len(pod.volumes), "volumes", VOLUMES),
        (variables, "environment variables in all containers", VARIABLES),
        (words, "words in command and args of all containers", WORDS),
        (text, "characters in names, images, commands, arguments and mount paths", TEXT),
        (len(pod.annotations), "annotations", ITEMS),
        (len(metadata.owner_references or ()), "ownerReferences", ITEMS),
        (len(spec.image_pull_secrets or ()), "imagePullSecrets", ITEMS),
        (len(groups or ()), "supplementalGroups", ITEMS),
    ):
        yield "the pod", count, what, bound


def _text(container: Container) -> int:
    words = chain(container.command or (), container.args or ())
    return (
        len(container.name)
        + len(container.image or "")
        + sum(map(len, words))
        + sum(
            len(mount.name) + len(mount.mount_path) + len(mount.sub_path or "")
            for mount in container.volume_mounts or ()
        )
    )


def _annotation_counts(pod: Pod) -> Iterator[tuple[str, int, str, int]]:
    keys = [key for key in pod.annotations if key.startswith(PREFIX)]
    yield "the pod", len(keys), f"annotations below {PREFIX}", OWN_ANNOTATIONS
    for key in keys[: OWN_ANNOTATIONS + 1]:
        if key != STATUS:  # written by the webhook, and long if the pod has many containers
            length = max(len(key), len(pod.annotations[key]))
            yield f"annotation {quoted(key)}", length, "characters", ANNOTATION_LENGTH
