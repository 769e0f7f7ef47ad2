"""A day's admissions one after the other: memory does not grow.

A cluster that creates eleven opted-in pods a second makes a million in a day. The short run is part
of every `make test`; the long one has a marker of its own.
"""

import pytest
from resilience.figures import Record, show
from resilience.memory import MB
from resilience.soak import soak
from service.running import RunningService

pytestmark = pytest.mark.resilience


@pytest.mark.parametrize(
    "admissions",
    [
        pytest.param(20_000, id="20000"),
        pytest.param(
            1_000_000,
            id="1000000",
            marks=[pytest.mark.soak, pytest.mark.timeout(4 * 3600)],
        ),
    ],
)
def test_memory_stays_flat(
    own_service: RunningService, admissions: int, record_property: Record
) -> None:
    result = soak(own_service, admissions)
    show(
        record_property,
        admissions=result.answered,
        memory_MB=", ".join(f"{memory / MB:.1f}" for memory in result.memory),
        growth_in_the_second_half_MB=result.growth / MB,
    )
    assert result.answered == admissions
    assert result.growth < 4 * MB
    assert own_service.admin.get("/readyz").is_success
