"""Variables that name the file with the profile's CA certificates in the pod's containers."""

from collections.abc import Sequence

from webhook.injection.daemon_files import CERTIFICATES_OF_JOB
from webhook.injection.patch import Operation, append
from webhook.injection.socket_plan import SocketPlan


def set_certificate_variables(plan: SocketPlan, names: Sequence[str]) -> list[Operation]:
    """Set the variables that a container lacks to the path of the file beside its socket."""
    container = plan.candidate.container
    present = {variable.name for variable in container.env or ()}
    path = f"{plan.directory}/{CERTIFICATES_OF_JOB}"
    missing = [
        {"name": name, "value": path} for name in dict.fromkeys(names) if name not in present
    ]
    list_exists = container.env is not None or plan.docker_host is not None
    return append(f"{plan.candidate.pointer}/env", missing, list_exists=list_exists)
