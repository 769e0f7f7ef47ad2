"""Quantities, against the rules of apimachinery's pkg/api/resource."""

from decimal import Decimal

import pytest

from webhook.config.quantity import parse, total

ACCEPTED = {
    "0": "0",
    "1": "1",
    "007": "7",
    "1.": "1",
    ".5": "0.5",
    "0.5": "0.5",
    "1.5": "1.5",
    "500m": "0.5",
    "1500m": "1.5",
    "100u": "0.0001",
    "1n": "0.000000001",
    "1k": "1000",
    "1M": "1000000",
    "2G": "2000000000",
    "1T": "1e12",
    "1P": "1e15",
    "1E": "1e18",
    "1Ki": "1024",
    "64Mi": "67108864",
    "1.5Gi": "1610612736",
    "1Ti": "1099511627776",
    "1Pi": "1125899906842624",
    "1Ei": "1152921504606846976",
    "1e3": "1000",
    "1E3": "1000",
    "1e+3": "1000",
    "1e-3": "0.001",
    "1.5e3": "1500",
    "9E": "9e18",
}
DENIED = [
    *("", " ", "1 Gi", " 1", "1 ", "1\n", "-1", "+1", "one", "1x", "1gi", "1GI", "1GB", "1K"),
    *("1mi", "1ki", "1.2.3", ".", "e3", "Gi", "1e", "1e+", "1e1.5", "1e3Gi", "1,5", "0x10"),
    *("1_000", "1²", "\u0661", "NaN", "inf", "1e99999999", "1" * 10_000, "1." + "1" * 10_000),
]


@pytest.mark.parametrize(
    ("text", "amount"),
    ACCEPTED.items(),
)
def test_a_quantity_is_read_as_kubernetes_reads_it(text: str, amount: str) -> None:
    assert parse(text) == Decimal(amount)


@pytest.mark.parametrize("text", DENIED, ids=lambda text: repr(text[:12]))
def test_invalid_quantities_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a Kubernetes quantity"):
        parse(text)


@pytest.mark.parametrize("text", ["10E", "8Ei", "1e19", "9e99", "999999999999999999Ei"])
def test_quantities_beyond_the_range_of_kubernetes_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is larger than Kubernetes can hold$"):
        parse(text)


def test_a_quantity_below_the_limit_is_accepted_and_the_limit_is_rejected() -> None:
    assert parse("7.999999999Ei") < Decimal(2**63 - 1)
    with pytest.raises(ValueError, match="larger"):
        parse("8Ei")


@pytest.mark.parametrize(
    ("texts", "sum_"),
    [
        (("20Gi", "1Gi"), "21Gi"),
        (("20Gi", "512Mi"), "20992Mi"),
        (("1Gi", "1Ki"), "1048577Ki"),
        (("10G", "0"), "9765625Ki"),
        (("1", "2"), "3"),
    ],
)
def test_a_sum_is_written_in_the_largest_unit_that_divides_it(
    texts: tuple[str, ...], sum_: str
) -> None:
    assert total(*texts) == sum_
    assert parse(sum_) == sum(map(parse, texts))
