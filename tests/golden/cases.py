"""Golden pairs: a pod in `cases/NAME.yaml`, and beside it what the webhook makes of it.

    NAME.injected.yaml   the pod afterwards, its admission warnings as comments above
    NAME.denied.txt     the problems, one a line
    NAME.skipped.txt     the reason, then the warnings, one a line

A case of two documents begins with `config` (the configuration file) and `namespaceLabel` (the
value of the namespace's label). Scripts and version are written as `<dind-start.sh>` and the like.

`UPDATE_GOLDEN=1 pytest tests/golden` writes all results anew; read the difference before you keep
it.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonpatch
import msgspec
from ruamel.yaml import YAML

from webhook import __version__
from webhook.config import Config
from webhook.injection import Admission, Decision, Denied, Endpoint, Injected, Skipped, decide
from webhook.injection.optin import route
from webhook.injection.pod import Pod
from webhook.injection.scripts import SCRIPTS

Json = dict[str, Any]

DIRECTORY = Path(__file__).parent / "cases"
RESULTS = (".injected.yaml", ".denied.txt", ".skipped.txt")
_HEADER = {"config", "namespaceLabel"}
_SCRIPTS = {f"<{name}>": script for name, script in SCRIPTS.items()}
_PLACEHOLDERS = {**_SCRIPTS, "<version>": __version__}


@dataclass(frozen=True)
class Case:
    """A pod, and the circumstances in which it is created."""

    path: Path
    pod: Json
    config: Config
    namespace_label: str | None

    def decide(self, pod: Json | None = None) -> Decision:
        """The decision on this pod, or on another one in the same circumstances."""
        read = msgspec.convert(pod or self.pod, Pod)
        endpoint = route(read.annotations, self.namespace_label) or Endpoint.POD
        return decide(Admission(endpoint, "ci", read), self.config)

    def result(self, name: str) -> Path:
        """The file of a result."""
        return self.path.with_name(self.path.stem + name)


def read(path: Path) -> Case:
    """Read a case.

    Raises:
        ValueError: its first document is neither a pod nor a header.
    """
    documents = list(YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8")))
    header = documents[0] if len(documents) == 2 else {}
    if not header.keys() <= _HEADER or len(documents) > 2:
        raise ValueError(f"{path.name}: before the pod, only {sorted(_HEADER)} have a place")
    config = Config.model_validate_json(json.dumps(header.get("config", {})))
    return Case(path, _filled(documents[-1]), config, header.get("namespaceLabel"))


def cases() -> list[Case]:
    """Every case, by name."""
    names = sorted(path for path in DIRECTORY.iterdir() if not path.name.endswith(RESULTS))
    return [read(path) for path in names]


def patched(pod: Json, decision: Injected) -> Json:
    """The pod afterwards; the argument stays as it is."""
    copy = json.loads(json.dumps(pod))
    after: Json = jsonpatch.apply_patch(copy, decision.patch, in_place=True)
    return after


def rendered(case: Case) -> tuple[str, str]:
    """The ending of the result's file, and its text."""
    match case.decide():
        case Injected() as injected:
            warnings = "".join(f"# warning: {line}\n" for line in injected.warnings)
            return ".injected.yaml", warnings + _yaml(patched(case.pod, injected))
        case Denied(problems):
            return ".denied.txt", "".join(f"{problem.message}\n" for problem in problems)
        case Skipped(reason, warnings):
            lines = [f"{reason.slug}: {reason.sentence}", *warnings]
            return ".skipped.txt", "".join(f"{line}\n" for line in lines)


def _yaml(pod: Json) -> str:
    yaml = YAML(pure=True)  # keeps the order of keys
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    yaml.dump(_shortened(pod), text)
    return text.getvalue()


def _shortened(value: Any) -> Any:
    """Put placeholders for what would hide the rest."""
    match value:
        case dict():
            return {key: _shortened(each) for key, each in value.items()}
        case list():
            return [_shortened(each) for each in value]
        case str() if value in _SCRIPTS.values():
            return next(name for name, text in _SCRIPTS.items() if text == value)
        case str() if value.startswith('{"version":'):
            return value.replace(f'"{__version__}"', '"<version>"', 1)
        case _:
            return value


def _filled(value: Any) -> Any:
    """The reverse, for cases that carry an earlier injection."""
    match value:
        case dict():
            return {key: _filled(each) for key, each in value.items()}
        case list():
            return [_filled(each) for each in value]
        case str():
            for name, text in _PLACEHOLDERS.items():
                value = value.replace(name, text)
            return value
        case _:
            return value
