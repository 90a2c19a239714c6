"""The summary that `tune` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scoring.counted import counted
from training.reporting.addresses import show_run
from training.reporting.tables import titled_table
from training.search.search import Tuned
from training.search.selection import RankedCandidate

SHOWN = 8
"""Most models in the table, besides the chosen and the default one."""


def show_search(tuned: Tuned, console: Console) -> None:
    """Print the best models, the chosen one and the reason."""
    counts, choice, default = tuned.counts, tuned.choice, tuned.default
    console.print()
    console.print(_table(tuned))
    console.print(
        f"{counted(counts.finished, 'trial')}: {counts.complete} complete, {counts.pruned} pruned, "
        f"{counts.failed} failed. Each half of the threshold part is decided by the threshold of "
        "the other; ± one standard error.",
        soft_wrap=True,
    )
    chosen, best = choice.chosen, choice.best
    if chosen is not None and best is not None:
        console.print(_why(chosen, best, tuned), soft_wrap=True)
    if tuned.trained is None and chosen is not None and default is not None:
        console.print(
            f"The search does not improve on train's own parameters (trial "
            f"{default.kept.number}), so nothing is registered; "
            "`python -m training train` makes that model.",
            soft_wrap=True,
        )
    # The summary of the training follows, which ends with the same command.
    is_last = tuned.trained is None
    show_run(tuned.run_id, tuned.run_url, console, what="Search", has_command=is_last)


def _table(tuned: Tuned) -> Table:
    table = titled_table(
        "Models that were tried, best first",
        *("trial", "net savings", "behind the best", "leaves", "µs a row", "µs alone"),
        data=str(tuned.threshold),
    )
    table.add_column("")
    choice, default = tuned.choice, tuned.default
    ranked = sorted(choice.ranked, key=lambda s: (not s.fits, -s.savings, s.batch_us))
    always = {
        choice.chosen.number if choice.chosen else None,
        default.kept.number if default else None,
    }
    for place, candidate in enumerate(ranked):
        if place >= SHOWN and candidate.number not in always:
            continue
        finalist = tuned.finalist(candidate)
        table.add_row(
            str(candidate.number),
            f"{candidate.savings:,.0f} ± {candidate.savings_error:,.0f}",
            f"{candidate.behind:,.0f} ± {candidate.behind_error:,.0f}",
            f"{finalist.kept.leaves:,}",
            f"{candidate.batch_us:.1f}",
            f"{finalist.latency.single_us:.0f}",
            _remark(candidate, tuned),
            style="bold" if candidate == choice.chosen else "" if candidate.is_tied else "dim",
        )
    return table


def _remark(candidate: RankedCandidate, tuned: Tuned) -> str:
    remarks = []
    if candidate == tuned.choice.chosen:
        remarks.append("chosen")
    if candidate == tuned.choice.best:
        remarks.append("best")
    if tuned.default is not None and candidate.number == tuned.default.kept.number:
        remarks.append("train's own")
    if not candidate.fits:
        remarks.append("above the budget")
    return ", ".join(remarks)


def _why(chosen: RankedCandidate, best: RankedCandidate, tuned: Tuned) -> Text:
    tied = sum(candidate.is_tied for candidate in tuned.choice.ranked)
    if tied == 1:
        reason = "no other is within one standard error of its savings"
    elif chosen == best:
        reason = (
            f"it saves the most, and of the {tied} within one standard error it explains fastest"
        )
    else:
        reason = (
            f"of the {tied} within one standard error of the best (trial {best.number}) it "
            "explains fastest"
        )
    beside = ""
    if tuned.default is not None and tuned.default.kept.number != chosen.number:
        share = chosen.batch_us / tuned.default.latency.batch_us
        beside = f" It takes {share:.0%} of the time of train's own parameters."
    return Text.assemble((f"Trial {chosen.number} is chosen:", "bold"), f" {reason}.{beside}")
