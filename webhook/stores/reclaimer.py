"""One round of the reclaimer: find the stores of the node, decide, measure and remove.

Stores are renamed first and deleted afterwards, in as many rounds as that takes. If a store cannot
be removed, the others still are.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from webhook.cluster.client import ClusterError
from webhook.cluster.node_pods import NodePod, NodePods
from webhook.following import ConfigurationFile
from webhook.logs import Logger
from webhook.stores import layout, rules, tree
from webhook.stores.layout import Store
from webhook.stores.measuring import Sizes
from webhook.stores.metrics import StoreMetrics
from webhook.stores.rules import Facts, Reason

EVENT = "ImageStoreTooLarge"
Result = TypeVar("Result")
_MEASURING_SECONDS = 4.0
_ROUND_SECONDS = 9.0  # for measuring and deleting; a round begins every ten seconds


class Reclaimer:
    """Removes the stores of one node that nothing uses any more.

    Args:
        pods: of the node.
        directories: that contain stores; no others are touched.
        configuration: the profiles.
        node_limit: bytes that all stores of the node may hold; None: no limit.
        metrics: of the stores.
        log: gets a line for each removed store and each new failure.
    """

    def __init__(
        self,
        pods: NodePods,
        directories: Sequence[str],
        configuration: ConfigurationFile,
        *,
        node_limit: int | None,
        metrics: StoreMetrics,
        log: Logger,
    ) -> None:
        self._pods = pods
        self._directories = directories
        self._configuration = configuration
        self._node_limit = node_limit
        self._metrics = metrics
        self._log = log
        self._sizes = Sizes()
        self._jobs: dict[tuple[layout.Place, str, int], int] | None = None
        self._warned: set[str] = set()  # UIDs of pods that have their event
        self._failures: dict[str, str] = {}  # what is logged already, by path
        self._failed: dict[str, str] = {}  # in this round

    def run_round(self) -> bool:
        """Run one round; False if the API server did not answer, which is logged."""
        began = time.monotonic()
        self._configuration.followed.poll(self._log)
        self._failed = {}
        found = self._find()
        try:
            # After the stores were found: a pod that is in one of them is listed.
            facts = Facts(
                time.time(),
                self._configuration.config,
                self._pods.pods(),
                self._pods.namespaces(),
            )
        except ClusterError as error:
            self._log.warning("request to the API server failed", error=str(error))
            self._metrics.rounds["failure"].inc()
            return False
        stores = [store for store in found.stores if not store.is_removed]
        self._warned &= facts.pods.keys()
        self._count_jobs(stores)
        self._sizes.update(stores, facts, _late(began + _MEASURING_SECONDS))
        left = self._remove(stores, facts)
        self._bound(left, facts)
        self._delete_trees(_late(began + _ROUND_SECONDS))
        for directory in found.directories:
            if rules.is_abandoned(directory, facts):
                self._try(directory.place.directory, layout.remove_directory, directory.place)
        self._report_failures()
        self._metrics.rounds["success"].inc()
        return True

    def _find(self) -> layout.Found:
        everything = layout.Found([], [])
        for directory in self._directories:
            found = self._try(directory, layout.find_stores, directory)
            if found is not None:
                everything.stores.extend(found.stores)
                everything.directories.extend(found.directories)
        return everything

    def _count_jobs(self, stores: Sequence[Store]) -> None:
        """Count the jobs that took a store since the last round; the first round counts none."""
        before = self._jobs
        self._jobs = {(store.place, store.name, store.inode): store.jobs for store in stores}
        if before is None:
            return
        for key, jobs in self._jobs.items():
            earlier = before.get(key, 0)
            if jobs <= earlier:
                continue
            cold = 1 if earlier == 0 else 0
            self._metrics.jobs["false"].inc(cold)
            self._metrics.jobs["true"].inc(jobs - earlier - cold)

    def _remove(self, stores: Sequence[Store], facts: Facts) -> list[Store]:
        """Remove stores for all reasons except the limit of the node; return the others."""
        left = []
        for store in stores:
            if facts.is_in_use(store):
                self._care_for(store, facts)
                left.append(store)
                continue
            reason = rules.reason_to_remove(store, facts, self._sizes.current(store))
            if reason is not None and self._retire(store, reason):
                continue
            if reason is None and store.pod is not None:
                self._try(store.path, layout.release, store)
            if reason is None:
                self._record_namespace(store, facts)
            left.append(store)
        return left

    def _care_for(self, store: Store, facts: Facts) -> None:
        """Check a store in use: keep later jobs from taking it, or delete its pod."""
        if facts.is_of_another_namespace(store):
            self._try(store.path, layout.condemn, store)
        else:
            self._record_namespace(store, facts)
        pod, size = facts.owner(store), self._sizes.current(store)
        if pod is None or pod.is_being_deleted or size is None:
            return
        limit = rules.limit_of(pod, store.place, facts.config)
        message = limit and rules.too_large(size, limit, store.place.profile or "")
        if not message:
            return
        self._delete_pod(pod, store, message)

    def _delete_pod(self, pod: NodePod, store: Store, message: str) -> None:
        try:
            if pod.uid not in self._warned:
                self._warned.add(pod.uid)
                self._pods.warn(pod, EVENT, message)
        except ClusterError as error:
            self._log.warning("event not created", store=store.path, error=str(error))
        try:
            self._pods.delete(pod)
        except ClusterError as error:
            self._failed[store.path] = str(error)
        else:
            self._log.warning("pod deleted", store=store.path, pod=pod.name, message=message)
            self._metrics.deleted_pods.inc()

    def _record_namespace(self, store: Store, facts: Facts) -> None:
        if store.is_complete and not store.namespace_uid:
            uid = facts.namespaces[store.place.namespace].uid
            self._try(store.path, layout.record_namespace, store, uid)

    def _retire(self, store: Store, reason: Reason) -> bool:
        if not self._try(store.path, layout.retire, store):
            return False
        self._metrics.removed[reason].inc()
        self._log.info("image store removed", store=store.path, reason=reason.value)
        return True

    def _bound(self, stores: Sequence[Store], facts: Facts) -> None:
        """Remove stores beyond the limit of the node, and report the others."""
        free = [store for store in stores if not facts.is_in_use(store) and store.pod is None]
        if self._node_limit is not None:
            total = sum(self._sizes.last(store) for store in stores)
            sizes = {store: size for store in free if (size := self._sizes.current(store))}
            chosen = rules.beyond_node_limit(free, sizes, total, self._node_limit)
            gone = {store for store in chosen if self._retire(store, Reason.NODE_LIMIT)}
            stores = [store for store in stores if store not in gone]
        used = [store for store in stores if facts.is_in_use(store)]
        for state, some in (("in-use", used), ("free", [s for s in stores if s not in used])):
            self._metrics.stores[state].set(len(some))
            self._metrics.bytes[state].set(sum(map(self._sizes.last, some)))

    def _delete_trees(self, is_late: Callable[[], bool]) -> None:
        for store in self._find().stores:
            if store.is_removed and not is_late():
                self._try(store.path, _delete_tree, store, is_late)

    def _try(self, path: str, action: Callable[..., Result], *arguments: object) -> Result | None:
        """Change a store; if that fails, record the failure and return None."""
        try:
            return action(*arguments)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._failed[path] = error.strerror or str(error)
            return None

    def _report_failures(self) -> None:
        for path, failure in self._failed.items():
            if self._failures.get(path) != failure:
                self._log.warning("image store not reclaimed", store=path, error=failure)
        self._failures = self._failed
        self._metrics.failed.set(len(self._failed))


def _delete_tree(store: Store, is_late: Callable[[], bool]) -> None:
    with layout.opened_store(store) as (parent, own):
        if tree.remove_content(own, is_late):
            os.rmdir(store.name, dir_fd=parent)


def _late(deadline: float) -> Callable[[], bool]:
    return lambda: time.monotonic() > deadline
