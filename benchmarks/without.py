"""The service with one part left out, to learn what that part costs.

`python -m benchmarks.without logs serve ...` is `dind-webhook serve ...` without its log line per
decision, `metrics` without counting, `memory` without remembering the answers to pods that are
alike. `policy` has no memory either, nor opt-in, annotations, policy and gates: every pod gets the
default profile.
"""

import sys
from collections.abc import Callable, Mapping

from webhook import cli
from webhook.config import Config
from webhook.injection import Admission, Decision
from webhook.injection.inject import inject
from webhook.injection.settings import Settings
from webhook.serving import answers, service
from webhook.serving.metrics import Metrics


def _logs() -> None:
    _replace(service.Service, "_log", _nothing)


def _metrics() -> None:
    _replace(Metrics, "decided", _nothing)


def _policy() -> None:
    builtin = Config()
    settings = Settings(builtin.default_profile, builtin.profiles[builtin.default_profile], None)

    def decide(admission: Admission, _config: Config) -> Decision:
        return inject(admission.pod, settings, None)

    _memory()
    _replace(answers, "decide", decide)


def _memory() -> None:
    _replace(answers, "outline", _nothing)  # as if no pod were an ordinary one


PARTS: Mapping[str, Callable[[], None]] = {
    "logs": _logs,
    "metrics": _metrics,
    "memory": _memory,
    "policy": _policy,
}


def _replace(owner: object, name: str, function: Callable[..., object]) -> None:
    """Put another function in a place where there is one."""
    if name not in vars(owner):
        raise LookupError(f"{owner!r} has no {name} that could be left out")
    setattr(owner, name, function)


def _nothing(*_arguments: object, **_named: object) -> None:
    pass


if __name__ == "__main__":
    PARTS[sys.argv.pop(1)]()
    cli.main(prog_name="dind-webhook")
