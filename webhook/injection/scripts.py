"""The two shell scripts that run in pods, as they are put there.

Their files stand beside this module, with comments; a pod carries them without.
"""

from importlib.resources import files


def _carried(name: str) -> str:
    """Read a script without the lines that are comments or blank."""
    lines = (files(__package__) / name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))


START = _carried("dind-start.sh")
WAIT = _carried("dind-wait.sh")
START_NAME = "dind-start"  # "$0" of the scripts, by which an injected container is known again
WAIT_NAME = "dind-wait"
