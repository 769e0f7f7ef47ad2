"""Measures the sizes of stores, a part in each round, so that a huge store delays nothing else."""

from collections.abc import Callable, Generator, Iterable

from msgspec import Struct

from webhook.stores.layout import Place, Store, locked, opened_store
from webhook.stores.rules import Facts
from webhook.stores.tree import Size, measure

#: Seconds between two measurements of a store in use; the kubelet measures emptyDirs as often.
INTERVAL = 60.0
_Key = tuple[Place, str, int]


class _Measured(Struct, frozen=True):
    """A size, None if it could not be measured, and the state of the store at that time."""

    size: Size | None
    at: float
    pod: str | None
    used: float | None
    was_locked: bool


class _Running(Struct, frozen=True):
    store: Store
    steps: Generator[None, None, Size]
    was_locked: bool


class Sizes:
    """The sizes of all stores of a node."""

    def __init__(self) -> None:
        self._known: dict[_Key, _Measured] = {}
        self._running: _Running | None = None

    def current(self, store: Store) -> Size | None:
        """Return a store's size if no other pod has taken or left it since it was measured."""
        known = self._known.get(_key(store))
        if known is None or (known.pod, known.used) != (store.pod, store.used):
            return None
        return known.size

    def last(self, store: Store) -> int:
        """Return the bytes that a store held when it was last measured; 0 if it never was."""
        known = self._known.get(_key(store))
        return known.size.bytes if known and known.size else 0

    def update(self, stores: Iterable[Store], facts: Facts, is_late: Callable[[], bool]) -> None:
        """Measure stores whose size is unknown or may have changed, until `is_late` is true."""
        present = {_key(store): store for store in stores}
        self._known = {key: known for key, known in self._known.items() if key in present}
        running = self._running
        if running is not None and _key(running.store) not in present:
            running.steps.close()
            self._running = None
        while not is_late():
            if self._running is None:
                due = [store for store in present.values() if self._is_due(store, facts)]
                if not due:
                    return
                store = min(due, key=self._measured_at)
                self._running = _Running(store, _steps(store), _is_locked(store))
            self._step(self._running, facts.now)

    def _is_due(self, store: Store, facts: Facts) -> bool:
        known = self._known.get(_key(store))
        if known is None or (known.pod, known.used) != (store.pod, store.used):
            return True
        # The kubelet runs the preStop hook, which removes the pod's mark, when the deletion of the
        # pod begins. The daemon writes on until the job has ended, and has the lock.
        may_change = known.size is None or facts.is_in_use(store) or known.was_locked
        return may_change and facts.now - known.at >= INTERVAL

    def _measured_at(self, store: Store) -> float:
        known = self._known.get(_key(store))
        return known.at if known else 0.0

    def _step(self, running: _Running, now: float) -> None:
        size = None
        try:
            next(running.steps)
        except StopIteration as end:
            size = end.value
        except OSError:
            pass
        else:
            return
        store = running.store
        self._known[_key(store)] = _Measured(size, now, store.pod, store.used, running.was_locked)
        self._running = None


def _key(store: Store) -> _Key:
    return store.place, store.name, store.inode


def _is_locked(store: Store) -> bool:
    try:
        with locked(store) as found:
            return found is None
    except OSError:
        return False  # it is gone


def _steps(store: Store) -> Generator[None, None, Size]:
    with opened_store(store) as (_, own):
        return (yield from measure(own))
