"""Numbers, money and times as a tenant's people write them (Unicode CLDR, by Babel)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from math import isnan
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent

MISSING = "\N{EN DASH}"
_MINUTE, _HOUR, _DAY, _WEEK = (
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(weeks=1),
)
_WHOLE = ((_WEEK, 2 * _WEEK), (_DAY, 2 * _DAY), (_HOUR, 2 * _HOUR), (_MINUTE, _MINUTE))
"""Units of a time that has passed, each with the least time that is counted in it. They are whole:
60 hours ago is 2 days ago, as on a calendar, not 3."""
_MONTHS = timedelta(days=36)
"""Time from which on months are near enough."""


@dataclass(frozen=True)
class Formats:
    """How one person sees numbers and times.

    Attributes:
        language: language of the page.
        currency: ISO 4217 code of the tenant's amounts; None: amounts have no symbol.
        time_zone: IANA name of the tenant's zone.
        now: time to which others are relative, UTC.
    """

    language: str
    currency: str | None
    time_zone: str
    now: datetime

    @cached_property
    def _locale(self) -> Locale:
        return Locale.parse("en_GB" if self.language == "en" else self.language)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The tenant's time zone."""
        return ZoneInfo(self.time_zone)

    def money(self, amount: float | None) -> str:
        """Return an amount to the cent."""
        if amount is None or isnan(amount):
            return MISSING
        if self.currency:
            return str(format_currency(amount, self.currency, locale=self._locale))
        return str(format_decimal(amount, "#,##0.00", locale=self._locale))

    def rounded_money(self, amount: float | None) -> str:
        """Return an amount without its cents, as sums are shown."""
        if amount is None or isnan(amount):
            return MISSING
        if self.currency:
            return str(
                format_currency(
                    round(amount),
                    self.currency,
                    "¤#,##0",
                    locale=self._locale,
                    currency_digits=False,
                )
            )
        return str(format_decimal(round(amount), "#,##0", locale=self._locale))

    def number(self, value: float | None, digits: int = 4) -> str:
        """Return a number with at most `digits` decimals."""
        if value is None or isnan(value):
            return MISSING
        return str(format_decimal(value, f"#,##0.{'#' * digits}", locale=self._locale))

    def count(self, value: int) -> str:
        """Return a whole number with its thousands apart."""
        return str(format_decimal(value, "#,##0", locale=self._locale))

    def percent(self, share: float | None, digits: int = 1) -> str:
        """Return a share of 0 to 1 as a percentage; one that rounds to 0 or 100 % keeps a digit."""
        if share is None or isnan(share):
            return MISSING
        smallest = 0.5 * 10.0 ** (-digits - 2)
        if 0 < share < smallest:
            return f"<{self.percent(10.0 ** (-digits - 2), digits)}"
        if 1 - smallest < share < 1:
            return f">{self.percent(1 - 10.0 ** (-digits - 2), digits)}"
        return str(format_percent(share, f"#,##0.{'0' * digits}%", locale=self._locale))

    def time(self, moment: datetime) -> str:
        """Return a time to the minute in the tenant's zone; the year only where it is another."""
        local = moment.astimezone(self.zone)
        pattern = (
            "d MMM HH:mm"
            if local.year == self.now.astimezone(self.zone).year
            else "d MMM yyyy HH:mm"
        )
        return str(format_datetime(local, pattern, locale=self._locale))

    def exact_time(self, moment: datetime) -> str:
        """Return a time to the second with its zone."""
        local = moment.astimezone(self.zone)
        return str(format_datetime(local, "d MMMM yyyy, HH:mm:ss zzz", locale=self._locale))

    def day(self, moment: datetime) -> str:
        """Return a day in the tenant's zone."""
        return str(format_date(moment.astimezone(self.zone), "d MMM", locale=self._locale))

    def calendar_day(self, day: date) -> str:
        """Return a calendar day; the year only where it is another."""
        pattern = "d MMM" if day.year == self.today.year else "d MMM yyyy"
        return str(format_date(day, pattern, locale=self._locale))

    @property
    def today(self) -> date:
        """The current day in the tenant's zone."""
        return self.now.astimezone(self.zone).date()

    def ago(self, moment: datetime) -> str:
        """Return how far a time is from now, such as `3 minutes ago` or `in 2 hours`."""
        delta = moment - self.now
        unit = next((unit for unit, least in _WHOLE if least <= -delta < _MONTHS), None)
        if unit is None:
            return str(
                format_timedelta(delta, add_direction=True, threshold=1.2, locale=self._locale)
            )
        whole = -(-delta // unit) * unit
        least = 1.0 if whole == -_MINUTE else 2.0
        return str(
            format_timedelta(whole, add_direction=True, threshold=least, locale=self._locale)
        )


def utc_now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)
