"""A Compose project of two services, one of which asks the other by its name."""

import pytest
from node.cluster import Cluster
from node.injecting import MAKE_IMAGE, job
from node.pods import completed
from node.settings import POD_MTU

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("product")]

PROJECT = f"""{MAKE_IMAGE}
cat >compose.yaml <<'END'
name: shop
services:
  server:
    build: .
    init: true
    command: [sh, -c, echo from the server >/kept/said && exec busybox httpd -f -p 80 -h /kept]
    volumes: [kept:/kept]
    healthcheck: {{test: [CMD, busybox, wget, -q, -O, /null, localhost/said], interval: 1s}}
  reader:
    image: made
    command: [busybox, wget, -q, -O, "-", server/said]
    depends_on: {{server: {{condition: service_healthy}}}}
volumes:
  kept: {{}}
END
compose() {{
  docker compose --progress quiet "$@"
}}
"""
UP_AND_DOWN = f"""{PROJECT}
compose up --build --detach --wait server
compose run --rm reader
compose down
docker run --rm --volume shop_kept:/kept made cat /kept/said
compose down --volumes
docker ps --all --quiet
docker volume ls --quiet
docker network ls --quiet --filter name=shop
"""


def test_services_start_resolve_each_other_and_stop(cluster: Cluster, namespace: str) -> None:
    log = completed(cluster, namespace, job("compose", UP_AND_DOWN))
    assert log == "from the server\nfrom the server\n"


def test_project_network_has_the_mtu_of_the_pod(cluster: Cluster, namespace: str) -> None:
    script = f"{PROJECT}compose run --rm --no-deps reader ip link show eth0"
    assert f" mtu {POD_MTU} " in completed(cluster, namespace, job("compose", script))
