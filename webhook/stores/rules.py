"""Which stores are removed, and why. Pure: values in, values out."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from webhook.cluster.node_pods import Namespace, NodePod
from webhook.config import Config, Storage, quantity
from webhook.injection.annotations import parse_annotations
from webhook.injection.settings import resolve
from webhook.stores.layout import Directory, Place, Store
from webhook.stores.tree import Size

#: Seconds after which a job has completed its store, and the API server lists its pod.
PATIENCE = 60.0


class Reason(StrEnum):
    """Why a store is removed."""

    NAMESPACE = "namespace"  # deleted, or made again
    PROFILE = "profile"  # not in the configuration file, or not persistent there
    AGE = "age"  # no job used it for maxAge
    SIZE = "size"  # it holds more than keep
    NODE_LIMIT = "node-limit"
    UNUSABLE = "unusable"  # set aside by a sidecar, damaged, or never completed


class Facts(Struct, frozen=True):
    """What one round has read.

    Attributes:
        now: the node's clock.
        config: the configuration file.
        pods: those of the node that have not finished, by UID.
        namespaces: those of the cluster, by name.
    """

    now: float
    config: Config
    pods: Mapping[str, NodePod]
    namespaces: Mapping[str, Namespace]

    def owner(self, store: Store) -> NodePod | None:
        """Find the pod that has a store; a pod of another namespace cannot have it."""
        pod = self.pods.get(store.pod or "")
        return pod if pod is not None and pod.namespace == store.place.namespace else None

    def is_in_use(self, store: Store) -> bool:
        """Tell whether a pod has it, perhaps one that is too young to be listed."""
        if not store.is_numbered:
            return False  # the sidecar has set it aside; while it runs, it has the lock
        is_young = store.pod is not None and abs(self.now - store.marked) < PATIENCE
        return is_young or self.owner(store) is not None

    def storage(self, place: Place) -> Storage | None:
        """Find the settings for the stores of a directory; None if it should contain none."""
        profile = self.config.profiles.get(place.profile or "")
        persistent = profile and profile.storage.persistent
        if not profile or not persistent or persistent.host_path != place.directory:
            return None
        return profile.storage

    def is_of_another_namespace(self, store: Store) -> bool:
        """Tell whether its namespace was deleted, even if there is a new one of this name."""
        namespace = self.namespaces.get(store.place.namespace)
        if namespace is None:
            return True
        if store.namespace_uid:
            return store.namespace_uid != namespace.uid
        return store.made < namespace.created


def reason_to_remove(store: Store, facts: Facts, size: Size | None) -> Reason | None:
    """Say why a store that is not in use is removed; None if it stays.

    Args:
        store: the store.
        facts: of this round.
        size: None if it is not known yet.
    """
    if not store.is_numbered or store.is_damaged:
        return Reason.UNUSABLE
    if store.used is None or not store.is_complete:
        return Reason.UNUSABLE if facts.now - store.made > PATIENCE else None
    storage = facts.storage(store.place)
    if facts.is_of_another_namespace(store):
        reason = Reason.NAMESPACE
    elif storage is None or storage.persistent is None:
        reason = Reason.PROFILE
    elif store.pod is not None:
        reason = None  # its mark is removed first
    elif facts.now - store.used > storage.persistent.max_age_seconds():
        reason = Reason.AGE
    elif size is not None and size.exceeds(storage.keep_bytes()):
        reason = Reason.SIZE
    else:
        reason = None
    return reason


def beyond_node_limit(
    free: Sequence[Store], sizes: Mapping[Store, Size], total: int, limit: int
) -> list[Store]:
    """Choose which stores to remove, longest unused first, so that the rest is within the limit.

    Args:
        free: stores that are not in use.
        sizes: their sizes; a store without a size is not removed.
        total: bytes of all stores.
        limit: bytes.
    """
    chosen = []
    for store in sorted(free, key=lambda store: store.used or 0):
        if total <= limit:
            break
        size = sizes.get(store)
        if size is not None:
            chosen.append(store)
            total -= size.bytes
    return chosen


def limit_of(pod: NodePod, place: Place, config: Config) -> str | None:
    """Find the limit for a pod's store; the pod's annotation counts if the policy allows it.

    Returns:
        A quantity; None if the profile does not exist any more.
    """
    profile = config.profiles.get(place.profile or "")
    if profile is None:
        return None
    settings = resolve(parse_annotations(pod.annotations), config, pod.namespace).settings
    if settings is not None and settings.name == place.profile:
        profile = settings.profile
    return str(profile.storage.size_limit)


def too_large(size: Size, limit: str, profile: str) -> str | None:
    """Say why a pod is deleted, for its event; None if its store is not too large."""
    if not size.exceeds(int(quantity.parse(limit))):
        return None
    if not size.is_complete:
        return (
            "The image store has too many files or levels of directories to be measured; "
            "the pod is deleted."
        )
    return (
        f"The image store holds {_readable(size.bytes)}, more than {limit} (storage.sizeLimit of "
        f"profile {profile}, or the annotation dind.io/storage); the pod is deleted."
    )


def _readable(amount: int) -> str:
    for unit, size in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if amount >= size:
            return f"{amount / size:.1f}{unit}"
    return str(amount)


def is_abandoned(directory: Directory, facts: Facts) -> bool:
    """Tell whether an empty directory can go: no pod is about to use it."""
    place = directory.place
    if not directory.is_empty or facts.now - directory.changed < PATIENCE:
        return False
    if any(pod.namespace == place.namespace for pod in facts.pods.values()):
        return False
    if place.namespace not in facts.namespaces:
        return True
    return place.profile is not None and facts.storage(place) is None
