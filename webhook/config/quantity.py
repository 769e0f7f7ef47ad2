"""Kubernetes quantities: "500m", "2Gi", "1.5", "1e3".

Source: apimachinery, pkg/api/resource. Signs are not accepted: every quantity here is an amount.
"""

import re
from decimal import Decimal

_NUMBER = r"^([0-9]{1,18}(\.[0-9]{0,9})?|\.[0-9]{1,9})"
#: As a regular expression that JSON Schema, Go and Python all read alike.
PATTERN = _NUMBER + r"(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$"
#: Of bytes: without parts of a byte, such as 512m, which is a mistake for 512Mi.
BYTES_PATTERN = _NUMBER + r"(Ki|Mi|Gi|Ti|Pi|Ei|[kMGTPE]|[eE]\+?[0-9]{1,2})?$"
_QUANTITY = re.compile(PATTERN)
_LARGEST = Decimal(2**63 - 1)
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def parse(text: str) -> Decimal:
    """Read a quantity, such as "500m" or "2Gi": its amount in the base unit, cores or bytes.

    Raises:
        ValueError: it is not a quantity, or larger than Kubernetes can hold (2^63 - 1).
    """
    match = _QUANTITY.match(text)
    if match is None or text.endswith("\n"):
        raise ValueError("is not a Kubernetes quantity (such as 500m, 2 or 4Gi)")
    number, suffix = Decimal(match[1]), match[3] or ""
    if len(suffix) > 1 and suffix[0] in "eE" and suffix != "Ei":
        amount = number.scaleb(int(suffix[1:]))
    else:
        amount = number * _SUFFIXES[suffix]
    if amount > _LARGEST:
        raise ValueError("is larger than Kubernetes can hold")
    return amount


def total(*texts: str) -> str:
    """Add quantities of bytes; the sum is written in the largest unit that divides it."""
    amount = int(sum(map(parse, texts)))
    units = {"Gi": 2**30, "Mi": 2**20, "Ki": 2**10}
    unit = next((name for name, size in units.items() if amount % size == 0), "")
    return f"{amount // units.get(unit, 1)}{unit}"
