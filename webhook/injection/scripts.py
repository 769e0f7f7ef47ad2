"""The shell scripts that run in pods, without the comments of their files."""

from importlib.resources import files


def read_script(name: str, package: str = "webhook.injection") -> str:
    """Read a script without comments and blank lines."""
    lines = (files(package) / name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))


START = read_script("dind-start.sh")
WAIT = read_script("dind-wait.sh")
#: For profiles with `daemon.metrics`.
WAIT_AND_MEASURE = f"{WAIT}\n{read_script('dind-ready.sh')}"
#: For profiles with `storage.persistent`.
START_WITH_STORE = f"{read_script('dind-store.sh')}\n{START}"
RELEASE = read_script("dind-release.sh")
CHECK_NODE = read_script("dind-check-node.sh")
#: For profiles with `isolation: userNamespace`. A subshell, because an image may have exported
#: variables of the same names.
CHECK_NODE_AND_START = f"(\n{CHECK_NODE}\n) >&2 || exit 1\n{START}"
#: As they stand in pods, by the names of their files.
SCRIPTS = {
    "dind-start.sh": START,
    "dind-wait.sh": WAIT,
    "dind-wait.sh, dind-ready.sh": WAIT_AND_MEASURE,
    "dind-store.sh, dind-start.sh": START_WITH_STORE,
    "dind-check-node.sh, dind-start.sh": CHECK_NODE_AND_START,
    "dind-release.sh": RELEASE,
    "dind-check-node.sh": CHECK_NODE,
}
START_NAME = "dind-start"  # "$0" of the scripts, which identifies an injected container
WAIT_NAME = "dind-wait"
RELEASE_NAME = "dind-release"
