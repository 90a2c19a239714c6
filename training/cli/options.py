"""Options that several sub-commands share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scoring.policy import CostModel
from scoring.tenant import is_slug

if TYPE_CHECKING:
    from click.parser import _OptionParser

COSTS = {"flat": CostModel(), "amount": CostModel(0.0, 1.0, 5.0)}


def _tenant(context: click.Context, parameter: click.Parameter, value: str) -> str:
    del context, parameter
    if not is_slug(value):
        raise click.BadParameter(
            "use 2 to 40 lower-case letters, digits and dashes, a letter first."
        )
    return value


def check_data(data: Path | None, *, has_paysims_columns: bool = False) -> None:
    """Check a file before anything is connected to or waited for.

    A command calls this after it has checked its options.

    Args:
        data: CSV or Parquet file; None without one.
        has_paysims_columns: whether it has to have PaySim's columns. The columns of another event
            type are checked by `plan.read_plan`, or are named by a version that is not loaded yet.

    Raises:
        TrainingError: see `training.data.loading.check`.
    """
    if data is not None:
        # Imported late: a command without a file, and --help, need no pyarrow.
        from training.data.loading import COLUMNS, check
        from training.data.table_file import MissingColumns
        from training.errors import TrainingError

        try:
            check(data, needed=COLUMNS if has_paysims_columns else ())
        except MissingColumns as error:
            raise TrainingError(
                f"{error} For columns of your own give --event-type; `sentinel event-types infer` "
                "drafts it from the file."
            ) from error


def check_event_type(event_type: Path | None, data: Path | None) -> None:
    """Check that an event type comes with the events it describes.

    Raises:
        UsageError: there is an event type, and no file of its events.
    """
    if event_type is not None and data is None:
        raise click.UsageError("--event-type needs --data; without it PaySim's are simulated.")


class OneFile(click.Option):
    """An option that is refused if it is given twice; click takes the last value silently."""

    def add_to_parser(self, parser: _OptionParser, ctx: click.Context) -> None:
        """Let the parser collect every value of the option."""
        del ctx
        parser.add_option(obj=self, opts=self.opts, dest=self.name, action="append", nargs=1)

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Process the one value.

        Raises:
            UsageError: there is more than one.
        """
        given = dict(opts)
        if self.name in given:
            *others, given[self.name] = given[self.name]
            if others:
                raise click.UsageError(f"{self.opts[0]} was given twice; name one file.", ctx)
        return super().handle_parse_result(ctx, given, args)


tenant_option = click.option("--tenant", required=True, callback=_tenant, help="The tenant's slug.")
optional_data = click.option(
    "--data",
    cls=OneFile,
    type=click.Path(path_type=Path),
    help="CSV or Parquet, in the PaySim schema or with --event-type.  [default: a simulated month]",
)
event_type = click.option(
    "--event-type",
    type=click.Path(path_type=Path),
    help="File of the event type that --data has.  [default: PaySim's, which is built in]",
)
features = click.option(
    "--features",
    type=click.Path(path_type=Path),
    help="File of the features.  [default: with --event-type those that `features suggest` prints, "
    "else PaySim's, which are built in]",
)
required_data = click.option(
    "--data",
    cls=OneFile,
    required=True,
    type=click.Path(path_type=Path),
    help="CSV or Parquet with labels and the fields that the version was trained on.",
)
_HOUR = "PaySim's step, or hours since 1970 of an own event type"
from_step = click.option(
    "--from-step", type=click.IntRange(min=0), help=f"First hour: {_HOUR}.  [default: all]"
)
until_step = click.option(
    "--until-step", type=click.IntRange(min=0), help=f"Last hour: {_HOUR}.  [default: all]"
)
busy_until_step = click.option(
    "--until-step",
    type=click.IntRange(min=0),
    help=f"Last hour to use: {_HOUR}."
    "  [default: end of the data, without trailing days of little traffic]",
)
cost = click.option(
    "--cost",
    type=click.Choice(tuple(COSTS)),
    default="flat",
    show_default=True,
    help="Cost of a missed fraud: 1,000 (flat) or its amount (amount). A false alarm costs 5.",
)
missed_fraud = click.option(
    "--missed-fraud", type=float, help="Cost of a missed fraud; overrides --cost."
)
missed_fraud_share = click.option(
    "--missed-fraud-share",
    type=float,
    help="Share of the amount in the cost of a missed fraud.",
)
false_alarm = click.option("--false-alarm", type=float, help="Cost of a false alarm.  [default: 5]")
seed = click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)


def cost_model(
    name: str, missed: float | None, missed_share: float | None, false_alarm: float | None
) -> CostModel:
    """Return the costs of --cost, with those that other options override.

    Raises:
        UsageError: a cost is invalid.
    """
    given = {
        "--missed-fraud": missed,
        "--missed-fraud-share": missed_share,
        "--false-alarm": false_alarm,
    }
    for option, cost in given.items():
        if cost is not None and not (math.isfinite(cost) and cost >= 0):
            raise click.BadParameter(
                f"{cost:g} is not a finite number >= 0.", param_hint=f"'{option}'"
            )
    base = COSTS[name]
    try:
        return CostModel(
            base.missed_fraud if missed is None else missed,
            base.missed_fraud_share if missed_share is None else missed_share,
            base.false_alarm if false_alarm is None else false_alarm,
        )
    except ValueError as error:
        raise click.UsageError(f"The costs cannot be used: {error}.") from error
