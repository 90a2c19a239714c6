"""Log a fault that lasts once when it begins and once when it ends."""

from __future__ import annotations

import logging


class Outage:
    """A fault that may be met at each poll or request.

    Args:
        logger: logger of the two records.
        subject: what does not work, the beginning of the sentences.
    """

    def __init__(self, logger: logging.Logger, subject: str) -> None:
        self._logger = logger
        self._subject = subject
        self._reason: str | None = None

    def goes_on(self, reason: str) -> None:
        """Log the fault where it is new, or its reason has changed."""
        if reason != self._reason:
            self._reason = reason
            self._logger.warning("%s: %s", self._subject, reason)

    def is_over(self) -> None:
        """Log the end of the fault, if there was one."""
        if self._reason is not None:
            self._reason = None
            self._logger.warning("%s: works again", self._subject)
