"""Translate MLflow's exceptions into ours; only for code that imports MLflow anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

MAX_REASON = 300


@contextmanager
def translate_errors(translated: Callable[[str], Exception]) -> Iterator[None]:
    """Raise `translated(reason)` in place of an error of MLflow or, where it is a file, of SQLite.

    Args:
        translated: function that makes the exception from MLflow's reason, which is the first line
            of its message, at most MAX_REASON characters, without a full stop.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        reason = str(error).strip().splitlines()[0][:MAX_REASON].rstrip(".")
        raise translated(reason) from error
