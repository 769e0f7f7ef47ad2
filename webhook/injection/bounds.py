"""Bounds on the size of a pod, so that no pod takes the webhook away from the others.

The webhook sees pods before the API server validates them. Counting the items of a decoded pod
costs less than decoding it.
"""

from collections.abc import Iterator

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
TEXT = 256 * 1024
OWN_ANNOTATIONS = 100
ANNOTATION_LENGTH = 4_096  # characters

#: For pods that carry an injection, when the API server calls the webhook again: an injection adds
#: a mount to each container, and at most every mount to the daemon.
INJECTED_FACTOR = 3

Count = tuple[int, str, int]  # count, what is counted, bound


def exceeded(pod: Pod, *, factor: int = 1) -> list[Problem]:
    """Find the bounds that a pod exceeds.

    Counting costs less than decoding, however large the pod is: what is inside the items of a list
    is counted only if their number is within its bound.

    Args:
        pod: the pod.
        factor: by which the bounds on lists and text are multiplied, see `INJECTED_FACTOR`.

    Returns:
        One problem per exceeded bound, of all that were counted.
    """
    problems: list[Problem] = []
    for counts in (_list_counts, _container_counts, _text_counts):
        problems += [
            Problem(
                Reason.POD_TOO_LARGE, f"the pod has {count:,} {what} (accepted: up to {bound:,})"
            )
            for count, what, bound in counts(pod)
            if count > bound * factor
        ]
        if problems:
            return problems
    return _annotation_problems(pod)


def _list_counts(pod: Pod) -> Iterator[Count]:
    spec = pod.spec
    groups = spec.security_context.supplemental_groups if spec.security_context else None
    containers = len(pod.init_containers) + len(pod.containers)
    yield containers, "containers, init containers included", CONTAINERS
    yield len(pod.volumes), "volumes", VOLUMES
    yield len(pod.annotations), "annotations", ITEMS
    yield len(pod.metadata.owner_references or ()), "ownerReferences", ITEMS
    yield len(spec.image_pull_secrets or ()), "imagePullSecrets", ITEMS
    yield len(groups or ()), "supplementalGroups", ITEMS


def _container_counts(pod: Pod) -> Iterator[Count]:
    mounts = variables = words = 0
    for container in pod.all_containers():
        mounts += len(container.volume_mounts or ())
        variables += len(container.env or ())
        words += len(container.command or ()) + len(container.args or ())
    yield mounts, "volumeMounts in all containers", MOUNTS
    yield variables, "environment variables in all containers", VARIABLES
    yield words, "words in command and args of all containers", WORDS


def _text_counts(pod: Pod) -> Iterator[Count]:
    text = sum(map(_text, pod.all_containers())) + sum([len(v.name) for v in pod.volumes])
    yield text, "characters in names, images, commands, arguments and mount paths", TEXT


def _text(container: Container) -> int:
    text = len(container.name) + len(container.image or "")
    text += sum(map(len, container.command or ())) + sum(map(len, container.args or ()))
    for mount in container.volume_mounts or ():
        text += len(mount.name) + len(mount.mount_path) + len(mount.sub_path or "")
    return text


def _annotation_problems(pod: Pod) -> list[Problem]:
    keys = [key for key in pod.annotations if key.startswith(PREFIX)]
    if len(keys) > OWN_ANNOTATIONS:
        text = f"the pod has {len(keys):,} annotations below {PREFIX} "
        return [Problem(Reason.POD_TOO_LARGE, f"{text}(accepted: up to {OWN_ANNOTATIONS})")]
    lengths = {
        key: max(len(key), len(pod.annotations[key]))
        for key in keys
        if key != STATUS  # written by the webhook, and long if the pod has many containers
    }
    return [
        Problem(
            Reason.POD_TOO_LARGE,
            f"annotation {quoted(key)} has {length:,} characters "
            f"(accepted: up to {ANNOTATION_LENGTH:,})",
        )
        for key, length in lengths.items()
        if length > ANNOTATION_LENGTH
    ]
