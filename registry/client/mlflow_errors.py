"""Translate MLflow's exceptions into ours; only for code that imports MLflow anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from requests import RequestException
from sqlalchemy.exc import SQLAlchemyError

from scoring.redaction import redacted

MAX_REASON = 300


@contextmanager
def translate_errors(translated: Callable[[str], Exception]) -> Iterator[None]:
    """Raise `translated(reason)` in place of an error of MLflow's client.

    Args:
        translated: function that makes the exception from MLflow's reason, which is the first line
            of its message, at most MAX_REASON characters, without a full stop.
    """
    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, ImportError) as error:
        # MLflow raises the last three for artefacts, a database URI and a missing driver.
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise translated(redacted(first_line)[:MAX_REASON].rstrip(".")) from error
