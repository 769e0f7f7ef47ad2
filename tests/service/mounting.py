"""Directories as the kubelet mounts ConfigMaps and Secrets."""

from collections.abc import Mapping
from pathlib import Path


class MountedDirectory:
    """A directory whose entries are links into `..data`, itself a link that changes in one step.

    Names may be paths, as in a projected volume: then the directory at their front is the link.
    """

    def __init__(self, path: Path, files: Mapping[str, bytes]) -> None:
        path.mkdir(exist_ok=True)
        self.path = path
        self._version = 0
        self.show(files)
        for name in {Path(name).parts[0] for name in files}:
            (path / name).symlink_to(Path("..data", name))

    def show(self, files: Mapping[str, bytes]) -> None:
        """Show other files, all at once; one that is left out is missing from then on."""
        self._version += 1
        version = self.path / f"..{self._version}"
        version.mkdir()
        for name, content in files.items():
            (version / name).parent.mkdir(exist_ok=True)
            (version / name).write_bytes(content)
        self.turn_to(version.name)

    def turn_to(self, version: str) -> None:
        """Show another directory inside this one, in one step."""
        link = self.path / "..link"
        link.symlink_to(version)
        link.rename(self.path / "..data")
