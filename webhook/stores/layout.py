"""What a store is on disk, and how it is locked: `<directory>/<namespace>/<profile>/<number>/`.

Anything else is not touched. The start script of the sidecar (dind-store.sh) creates and takes the
stores; its comments explain their files.
"""

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from msgspec import Struct

from webhook.stores import tree

LOCK, POD, VERSION, JOBS, NAMESPACE = "lock", "pod", "version", "jobs", "namespace"
#: The most entries of a profile's directory that one round reads.
MOST_STORES = 1000
_MOST_DIRECTORIES = 10_000
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_SET_ASIDE = re.compile(r"[0-9]{1,9}\.[a-z][a-z0-9.-]{0,60}")
_REMOVED = re.compile(r"[0-9]{1,9}\.removed\.[0-9a-f]{16}")
_UID = re.compile(r"[0-9A-Za-z-]{1,64}")
_COUNT = re.compile(r"[0-9]{1,9}")
_MOST_BYTES = 100  # of a store's small files


class Place(Struct, frozen=True):
    """A profile's directory; `profile` is None for the namespace's directory itself."""

    directory: str
    namespace: str
    profile: str | None


class Directory(Struct, frozen=True):
    """A directory that contains stores, and when it last changed."""

    place: Place
    is_empty: bool
    changed: float


class Store(Struct, frozen=True):
    """A store as one round finds it; times are of the node's clock.

    Attributes:
        place: the profile's directory.
        name: a number; a number and a word if the store was set aside.
        inode: of its directory.
        used: when a job last took it; None if it has no lock file.
        made: when it was created or last taken: the sidecar writes `version` each time.
        pod: UID of the pod that has it; None if there is none, empty if the file has no UID.
        marked: when the pod took it.
        namespace_uid: UID of the namespace whose jobs made it; empty if not known yet.
        jobs: how many jobs have used it.
        is_complete: it has the files without which no job takes it.
        is_damaged: one of its files is not a regular file.
    """

    place: Place
    name: str
    inode: int
    used: float | None
    made: float
    pod: str | None
    marked: float
    namespace_uid: str
    jobs: int
    is_complete: bool
    is_damaged: bool

    @property
    def path(self) -> str:
        """Its directory, for the log."""
        place = self.place
        return f"{place.directory}/{place.namespace}/{place.profile}/{self.name}"

    @property
    def is_numbered(self) -> bool:
        """Tell whether a job may take it."""
        return _NUMBER.fullmatch(self.name) is not None

    @property
    def is_removed(self) -> bool:
        """Tell whether `retire` gave it its name."""
        return _REMOVED.fullmatch(self.name) is not None


class Found(Struct, frozen=True):
    """The content of a directory for stores."""

    stores: list[Store]
    directories: list[Directory]


def find_stores(directory: str) -> Found:
    """Find all stores. Raises OSError if the directory itself cannot be read."""
    found = Found([], [])
    with tree.opened_directory(directory) as root:
        for namespace in _directories(root):
            with suppress(OSError), tree.opened_directory(namespace, root) as above:
                profiles = _directories(above)
                for profile in profiles:
                    place = Place(directory, namespace, profile)
                    with suppress(OSError), tree.opened_directory(profile, above) as below:
                        _find_in_profile(place, below, found)
                place = Place(directory, namespace, None)
                found.directories.append(_directory(place, above))
    return found


def _directories(parent: int) -> list[str]:
    """Return the names of the directories that can belong to a namespace or a profile."""
    entries = tree.entries_of(parent, _MOST_DIRECTORIES)
    names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return [name for name in names if _LABEL.fullmatch(name)]


def _directory(place: Place, descriptor: int) -> Directory:
    is_empty = not tree.entries_of(descriptor, 1)
    return Directory(place, is_empty, os.fstat(descriptor).st_mtime)


def _find_in_profile(place: Place, descriptor: int, found: Found) -> None:
    found.directories.append(_directory(place, descriptor))
    for entry in tree.entries_of(descriptor, MOST_STORES):
        if _NUMBER.fullmatch(entry.name) or _SET_ASIDE.fullmatch(entry.name):
            with suppress(OSError), tree.opened_directory(entry.name, descriptor) as store:
                if _is_of_sidecar(entry.name, store):
                    found.stores.append(_look_at(place, entry.name, store))


def _is_of_sidecar(name: str, store: int) -> bool:
    """Tell a store, even an incomplete one, from a numbered directory of another program."""
    if _REMOVED.fullmatch(name) or not tree.entries_of(store, 1):
        return True
    return any(_status(file, store) is not None for file in (LOCK, POD, VERSION, JOBS))


def _look_at(place: Place, name: str, store: int) -> Store:
    own = os.fstat(store)
    lock, version, pod = (_status(file, store) for file in (LOCK, VERSION, POD))
    is_damaged = any(
        status is not None and not stat.S_ISREG(status.st_mode) for status in (lock, version, pod)
    )
    jobs = _read(JOBS, store)
    uid = _read(NAMESPACE, store)
    marker = None if pod is None else _read(POD, store)
    return Store(
        place=place,
        name=name,
        inode=own.st_ino,
        used=None if lock is None else lock.st_mtime,
        made=own.st_mtime if version is None else version.st_mtime,
        pod=marker if marker is None or _UID.fullmatch(marker) else "",
        marked=0 if pod is None else pod.st_mtime,
        namespace_uid=uid if _UID.fullmatch(uid) else "",
        jobs=int(jobs) if _COUNT.fullmatch(jobs) else 0,
        is_complete=lock is not None and version is not None,
        is_damaged=is_damaged,
    )


def _status(name: str, store: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=store, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _read(name: str, store: int) -> str:
    try:
        return tree.read_text(name, store, _MOST_BYTES)
    except OSError:
        return ""


@contextmanager
def opened_store(store: Store) -> Iterator[tuple[int, int]]:
    """Open a store; yields descriptors of its profile's directory and of its own.

    Raises:
        OSError: the store does not exist any more.
    """
    place = store.place
    assert place.profile is not None  # noqa: S101 - stores are in directories of profiles
    with ExitStack() as stack:
        parent = None
        for name in (place.directory, place.namespace, place.profile):
            parent = stack.enter_context(tree.opened_directory(name, parent))
        own = stack.enter_context(tree.opened_directory(store.name, parent))
        if os.fstat(own).st_ino != store.inode:
            raise FileNotFoundError(errno.ENOENT, "another store has this name")
        assert parent is not None  # noqa: S101 - the loop has run
        yield parent, own


@contextmanager
def locked(store: Store) -> Iterator[tuple[int, int] | None]:
    """Lock a store as a job does, if it has not changed; yields what `opened_store` yields.

    A job that tries to take the store meanwhile takes another one, so hold the lock only briefly.
    Yields None if the store is in use or has changed. If the lock is not a regular file, neither
    this function nor a job can lock it.

    Raises:
        OSError: the store does not exist any more.
    """
    with opened_store(store) as (parent, own), ExitStack() as stack:
        try:
            lock = stack.enter_context(tree.opened_file(LOCK, own))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        except (tree.NotAFile, FileNotFoundError):
            pass
        yield (parent, own) if _look_at(store.place, store.name, own) == store else None


def retire(store: Store) -> bool:
    """Rename a store that is not in use, so that no job takes it; False if it is in use.

    Raises:
        OSError: it cannot be renamed.
    """
    with locked(store) as found:
        if found is None:
            return False
        parent, _ = found
        name = f"{store.name.partition('.')[0]}.removed.{secrets.token_hex(8)}"
        os.rename(store.name, name, src_dir_fd=parent, dst_dir_fd=parent)
        return True


def release(store: Store) -> bool:
    """Remove the file `pod` when its pod has ended; False if the store is used. Raises OSError."""
    with locked(store) as found:
        if found is None:
            return False
        os.unlink(POD, dir_fd=found[1])
        return True


def condemn(store: Store) -> None:
    """Ensure that no later job takes a store that is in use. Raises OSError."""
    with opened_store(store) as (_, own), suppress(FileNotFoundError):
        os.unlink(VERSION, dir_fd=own)


def record_namespace(store: Store, uid: str) -> None:
    """Write the UID of the namespace whose jobs use the store. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with opened_store(store) as (_, own):
        with suppress(FileNotFoundError):
            os.unlink(NAMESPACE, dir_fd=own)
        file = os.open(NAMESPACE, flags, 0o600, dir_fd=own)
        try:
            os.write(file, f"{uid}\n".encode())
        finally:
            os.close(file)


def remove_directory(place: Place) -> None:
    """Remove an empty directory of a profile or a namespace. Raises OSError."""
    with tree.opened_directory(place.directory) as root:
        if place.profile is None:
            os.rmdir(place.namespace, dir_fd=root)
            return
        with tree.opened_directory(place.namespace, root) as above:
            os.rmdir(place.profile, dir_fd=above)
