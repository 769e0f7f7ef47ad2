"""Remembering answers about texts that strangers choose."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

#: Characters; longer than any path or name that a kernel or a kubelet takes.
LONGEST = 4096


def remembered(size: int, longest: int = LONGEST) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Remember a pure function's answers, but none about a long text.

    The pods of a cluster say the same few things again and again. A pod may also say a megabyte
    where a path should be, before the API server has looked at it; a thousand of those would be
    all of our memory.

    Args:
        size: how many answers are kept.
        longest: of the function's first argument, in characters.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        cached = functools.lru_cache(maxsize=size)(function)

        @functools.wraps(function)
        def remembering(*args: P.args, **kwargs: P.kwargs) -> R:
            if len(args[0]) <= longest:  # type: ignore[arg-type]
                return cached(*args, **kwargs)  # type: ignore[arg-type]
            return function(*args, **kwargs)

        return remembering

    return decorate
