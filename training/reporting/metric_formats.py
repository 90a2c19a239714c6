"""Format figures for the terminal and the model card."""

from __future__ import annotations

from dataclasses import dataclass

from training.pipeline.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of an evaluation and its format.

    Attributes:
        name: key in `Evaluation.metrics`.
        label: name for people.
        meaning: phrase that explains the figure.
        form: format specification.
    """

    name: str
    label: str
    meaning: str
    form: str

    def show(self, evaluation: Evaluation) -> str:
        """Return the formatted figure, with its interval if it has one."""
        value = evaluation.metrics[self.name]
        interval = evaluation.intervals.get(self.name)
        if interval is None:
            return self.bare(value)
        return f"{value:{self.form}} ({between(interval.low, interval.high, self.form)})"

    def bare(self, value: float) -> str:
        """Return a value in the format of this figure."""
        return format(value, self.form)


FIGURES = (
    Figure("pr_auc", "PR-AUC", "area under precision over recall; 1 is perfect", ".4f"),
    Figure("roc_auc", "ROC-AUC", "chance that a fraud outscores an honest payment", ".4f"),
    Figure("ece", "ECE", "expected calibration error; 0 is perfect", ".3g"),
    Figure("log_loss", "log loss", "mean, in nats; 0 is perfect", ".3g"),
    Figure("brier", "Brier", "mean squared error of the probability; 0 is perfect", ".3g"),
    Figure("precision", "precision", "share of reviews that are frauds", ".2%"),
    Figure("recall", "recall", "share of frauds that are reviewed", ".2%"),
    Figure("alerts", "alerts", "payments reviewed", ",.0f"),
    Figure("false_alarms", "false alarms", "honest ones among them", ",.0f"),
    Figure("missed_frauds", "missed frauds", "frauds approved", ",.0f"),
    Figure("net_savings", "net savings", "money saved against approving everything", ",.0f"),
    Figure(
        "net_savings_share", "share of perfect", "of what reviewing just the frauds saves", ".2%"
    ),
)
"""All figures, in the order in which they are shown."""


def between(low: float, high: float, form: str) -> str:
    """Return a formatted interval."""
    return f"{low:{form}} to {high:{form}}"


def money(value: float) -> str:
    """Return an amount of money, with two decimals unless it is a whole number."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"
