"""A day's admissions one after the other: memory stays where it is.

A cluster that creates eleven opted-in pods a second makes a million in a day. The short run is part
of every `make test`; the long one has a marker of its own.
"""

import pytest
from resilience.figures import Record, show
from resilience.memory import MB
from resilience.soak import live
from service.running import RunningService

pytestmark = pytest.mark.resilience


@pytest.mark.parametrize(
    ("admissions", "grown"),
    [
        pytest.param(20_000, 4 * MB, id="20000"),
        pytest.param(
            1_000_000,
            4 * MB,
            id="1000000",
            marks=[pytest.mark.soak, pytest.mark.timeout(4 * 3600)],
        ),
    ],
)
def test_memory_is_flat(
    own_service: RunningService, admissions: int, grown: int, record_property: Record
) -> None:
    life = live(own_service, admissions)
    show(
        record_property,
        admissions=life.answered,
        memory_MB=", ".join(f"{memory / MB:.1f}" for memory in life.memory),
        grown_in_the_second_half_MB=life.growth / MB,
    )
    assert life.answered == admissions
    assert life.growth < grown
    assert own_service.admin.get("/readyz").is_success
