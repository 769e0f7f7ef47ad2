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
    counts = [(what, count, bound * factor) for what, count, bound in _counts(pod)]
    counts += _annotation_counts(pod)
    return [over(what, count, bound) for what, count, bound in counts if count > bound]


def over(what: str, count: int, bound: int) -> Problem:
    """Describe an exceeded bound."""
    return Problem(Reason.POD_TOO_LARGE, f"{what}: {count:,} (accepted: up to {bound:,})")


def _counts(pod: Pod) -> Iterator[tuple[str, int, int]]:
    spec, metadata = pod.spec, pod.metadata
    containers = pod.all_containers()
    groups = spec.security_context.supplemental_groups if spec.security_context else None
    mounts = sum(len(container.volume_mounts or ()) for container in containers)
    words = sum(len(c.command or ()) + len(c.args or ()) for c in containers)
    yield "number of containers and init containers", len(containers), CONTAINERS
    yield "number of volumeMounts in all containers", mounts, MOUNTS
    yield "number of volumes", len(pod.volumes), VOLUMES
    variables = sum(len(container.env or ()) for container in containers)
    yield "number of environment variables in all containers", variables, VARIABLES
    yield "number of words of command and args in all containers", words, WORDS
    text = sum(map(_text, containers)) + sum(len(volume.name) for volume in pod.volumes)
    yield "characters of names, images, commands, arguments and mount paths", text, TEXT
    yield "number of annotations", len(pod.annotations), ITEMS
    yield "number of ownerReferences", len(metadata.owner_references or ()), ITEMS
    yield "number of imagePullSecrets", len(spec.image_pull_secrets or ()), ITEMS
    yield "number of supplementalGroups", len(groups or ()), ITEMS


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


def _annotation_counts(pod: Pod) -> Iterator[tuple[str, int, int]]:
    own = [key for key in pod.annotations if key.startswith(PREFIX)]
    yield f"number of annotations below {PREFIX}", len(own), OWN_ANNOTATIONS
    for key in own[: OWN_ANNOTATIONS + 1]:
        if key != STATUS:  # written by the webhook, and long if the pod has many containers
            length = max(len(key), len(pod.annotations[key]))
            yield f"characters of annotation {quoted(key)}", length, ANNOTATION_LENGTH
