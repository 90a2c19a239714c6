"""Where the parts of an expression are in a program, and what is known of them beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.expressions.bounds import Bounds


@dataclass(frozen=True, slots=True)
class NumberRegister:
    """Where a number is.

    Attributes:
        register: register of the program.
        is_known: whether it is never missing.
        bounds: where it lies; not finite if it may be ±infinity in place of missing.
    """

    register: int
    is_known: bool
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class TruthRegisters:
    """Where a condition is.

    Attributes:
        is_true: register of where it is true.
        is_false: register of where it is false; None if that is where it is not true.
    """

    is_true: int
    is_false: int | None
