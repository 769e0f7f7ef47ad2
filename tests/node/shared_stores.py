"""Image stores of the node, as the node sees them, and profiles that have them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node.cluster import Cluster
from node.product import Product

DIRECTORY = "/var/lib/dind-webhook"  # the default of hostPath


@contextmanager
def upgraded(product: Product, values: Mapping[str, Any], directory: Path) -> Iterator[Product]:
    """The product with these values of the chart, and afterwards with its defaults again."""
    file = directory / "values.yaml"
    file.write_text(json.dumps(values))
    product.upgrade(file)
    yield product
    file.write_text("{}")
    product.upgrade(file)


def on_store(cluster: Cluster, namespace: str, profile: str, script: str) -> str:
    """Runs a script on the node, in the first store of a namespace and profile."""
    directory = f"{DIRECTORY}/{namespace}/{profile}/0"
    return cluster.on_node("sh", "-c", f"cd {directory} && {script}")


def is_free(cluster: Cluster, namespace: str, profile: str) -> bool:
    """Whether no pod has the first store, and the last process of its pod has ended."""
    look = "test -e pod || flock -n lock echo free || true"
    return on_store(cluster, namespace, profile, look) == "free\n"
