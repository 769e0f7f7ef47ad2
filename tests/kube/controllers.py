"""The real controller manager and scheduler."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kube.controlplane import ControlPlane
from kube.process import ServerProcess
from kube.waiting import until

from tools.build import ensure

# Without a kubelet the node's lease is never renewed: this controller would evict every pod.
_CONTROLLERS = "*,-node-lifecycle-controller"


@contextmanager
def controllers(control_plane: ControlPlane) -> Iterator[None]:
    """Runs kube-controller-manager and kube-scheduler while the block runs."""
    directory = control_plane.kubeconfig.parent
    access = f"--kubeconfig={control_plane.kubeconfig}"
    quiet = ("--leader-elect=false", "--secure-port=0")
    commands: list[list[str | Path]] = [
        [
            *(ensure("kube-controller-manager"), access, *quiet),
            f"--controllers={_CONTROLLERS}",
            "--service-account-private-key-file=accounts.key",
            "--root-ca-file=ca.crt",
        ],
        [ensure("kube-scheduler"), access, *quiet],
    ]
    processes = [ServerProcess(command, directory) for command in commands]
    try:
        until(lambda: _serves_accounts(control_plane), "the controllers to work", seconds=180)
        yield
    except TimeoutError as late:
        for process in processes:
            late.add_note(process.log_tail())
        raise
    finally:
        for process in processes:
            process.stop()


def _serves_accounts(control_plane: ControlPlane) -> bool:
    """Whether the controller manager made the first service account."""
    path = "/api/v1/namespaces/default/serviceaccounts/default"
    return control_plane.client.get(path).is_success
