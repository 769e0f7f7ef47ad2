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


def exceeded(pod: Pod, *, is_injected: bool) -> list[Problem]:
    """Find the bounds that a pod exceeds, all of them at once.

    Args:
        pod: the pod.
        is_injected: it carries an injection, and the API server calls the webhook again. An
            injection adds a mount to each container, and at most every mount to the daemon: three
            times a bound is room for that.
    """
    factor = 3 if is_injected else 1
    counts = [
        (subject, count, what, bound * factor) for subject, count, what, bound in _counts(pod)
    ]
    counts += _annotation_counts(pod)
    return [
        Problem(Reason.POD_TOO_LARGE, f"{subject} has {count:,} {what} (accepted: up to {bound:,})")
        for subject, count, what, bound in counts
        if count > bound
    ]


def _counts(pod: Pod) -> Iterator[tuple[str, int, str, int]]:
    spec, metadata = pod.spec, pod.metadata
    containers = pod.all_containers()
    mounts = variables = words = 0
    text = sum([len(volume.name) for volume in pod.volumes])
    for container in containers:
        mounts += len(container.volume_mounts or ())
        variables += len(container.env or ())
        words += len(container.command or ()) + len(container.args or ())
        text += _text(container)
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
    text = len(container.name) + len(container.image or "")
    text += sum(map(len, container.command or ())) + sum(map(len, container.args or ()))
    for mount in container.volume_mounts or ():
        text += len(mount.name) + len(mount.mount_path) + len(mount.sub_path or "")
    return text


def _annotation_counts(pod: Pod) -> Iterator[tuple[str, int, str, int]]:
    keys = [key for key in pod.annotations if key.startswith(PREFIX)]
    yield "the pod", len(keys), f"annotations below {PREFIX}", OWN_ANNOTATIONS
    for key in keys[: OWN_ANNOTATIONS + 1]:
        if key != STATUS:  # written by the webhook, and long if the pod has many containers
            length = max(len(key), len(pod.annotations[key]))
            yield f"annotation {quoted(key)}", length, "characters", ANNOTATION_LENGTH
