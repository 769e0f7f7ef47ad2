"""How much is generated: the same pods in every CI run, fresh ones on every other.

A failure of a fresh pod prints the pod and is kept in `.hypothesis`, to be tried first next time.
"""

import os

from hypothesis import HealthCheck, settings

# No deadline and no complaint about slowness: a busy machine is no failure.
settings.register_profile("dev", max_examples=200, deadline=None)
settings.register_profile(
    "ci",
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
