"""Checks of what callers give, in words that name the argument and its value."""

import operator
import time
from typing import Any, Optional


def seconds(name: str, value: Any) -> float:
    """A time of 0 or more, also infinite. Raises TypeError or ValueError."""
    number = _number(name, value)
    if not number >= 0:
        raise ValueError("%s %r; use seconds from 0 on" % (name, value))
    return number


def _number(name: str, value: Any) -> float:
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError("%s %r; use a number of seconds" % (name, value))
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError("%s %r; use a number of seconds" % (name, value)) from None


def patience(timeout: Any) -> float:
    """How long a wait may take; a negative time is over now."""
    number = _number("timeout", timeout)
    if number != number:
        raise ValueError("timeout %r; use seconds or None" % (timeout,))
    return max(0.0, number)


def deadline(timeout: Any) -> Optional[float]:
    """When a wait is over, on the monotonic clock: never for None, and now for a time
    that is negative."""
    if timeout is None:
        return None
    return time.monotonic() + patience(timeout)


def whole(name: str, value: Any) -> int:
    """A whole number. Raises TypeError."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError("%s %r; use a whole number" % (name, value)) from None


def choice(name: str, value: Any, known: Any) -> Any:
    """What stands for a word. Raises ValueError."""
    if not isinstance(value, str) or value not in known:
        raise ValueError("%s %r; use %s" % (name, value, " or ".join(map(repr, known))))
    return known[value]


def called(name: str, value: Any) -> None:
    """Raises TypeError unless the value is None or can be called."""
    if value is not None and not callable(value):
        raise TypeError("%s %r; use a function or None" % (name, value))
