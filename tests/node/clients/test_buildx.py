"""Builds beyond the plain one, by the driver that uses the daemon's own BuildKit.

The others start an image of BuildKit, and there is no registry here to have it from.
"""

import pytest
from node.cluster import Cluster
from node.injecting import MAKE_IMAGE, job
from node.pods import completed
from node.settings import POD_MTU

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("product")]

STAGES = """
cat >stages <<'END'
FROM made AS compile
ARG turn
RUN --mount=type=cache,target=/kept echo $turn >>/kept/turns && cat /kept/turns >/turns
FROM scratch
COPY --from=compile /turns /turns
END
build() {
  docker buildx build --quiet --file stages --build-arg turn=$1 --output type=local,dest=out .
}
build first >/dev/null
build second >/dev/null
cat out/turns
"""
LINK = """
cat >link <<'END'
FROM made AS look
RUN ip link show eth0 >/link
FROM scratch
COPY --from=look /link /link
END
docker buildx build --quiet --file link --output type=local,dest=out .
cat out/link
"""


def test_buildx_builds_stages_keeps_a_cache_and_exports_files(
    cluster: Cluster, namespace: str
) -> None:
    log = completed(cluster, namespace, job("stages", MAKE_IMAGE + STAGES))
    assert log == "first\nsecond\n"


def test_build_steps_have_the_mtu_of_the_pod(cluster: Cluster, namespace: str) -> None:
    log = completed(cluster, namespace, job("link", MAKE_IMAGE + LINK))
    assert f" mtu {POD_MTU} " in log
