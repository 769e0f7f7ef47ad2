"""The quick start of the README, on a cluster where the nodes have the image already."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from node.images import STATIC_BUSYBOX
from node.product import Product
from ruamel.yaml import YAML

from tools.build import ensure

pytestmark = pytest.mark.node

ROOT = Path(__file__).parents[2]
COMMANDS = re.compile(r"<!-- Quick start: .*? -->\n```sh\n(.*?)```", re.DOTALL)

# No registry can be reached from here, so the job makes the image that `docker run` would pull.
MAKE_IMAGE = (
    f"mkdir /made && cp {STATIC_BUSYBOX} /made/echo"
    """ && tar -C /made -c . | docker import --change 'CMD ["/echo", "Hello from Docker!"]' -"""
    " hello-world >/dev/null"
)


def test_quick_start_runs_a_container(product: Product, tmp_path: Path) -> None:
    """The cluster has the release already, which `helm upgrade --install` accepts."""
    found = COMMANDS.search((ROOT / "README.md").read_text())
    assert found is not None
    for name in ("charts", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    example = tmp_path / "examples/quick-start.yaml"
    pod = YAML(typ="safe").load(example)
    (container,) = pod["spec"]["containers"]
    container["command"][-1] = f"{MAKE_IMAGE} && {container['command'][-1]}"
    example.write_text(json.dumps(pod))
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in ("helm", "kubectl"):
        (programs / tool).symlink_to(ensure(tool))

    done = subprocess.run(
        ["sh", "-e", "-x", "-c", found[1]],
        cwd=tmp_path,
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "KUBECONFIG": str(product.cluster.kubeconfig),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Hello from Docker!\n")
