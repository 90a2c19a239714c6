"""The model card: what a version is for, what it was made of, how good it is, and its limits.

After Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019). A function of plain facts:
whatever registers a version (training, a search, a recalibration) fills in what it knows.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import jinja2
import numpy as np
from markdown_it import MarkdownIt

from registry.publish.tracking import MAX_DESCRIPTION, Card
from scoring.features import FEATURES, BoolArray, FloatArray
from scoring.policy import Policy
from scoring.prediction import ModelVersion
from training.pipeline.calibration import KindMetrics
from training.pipeline.evaluation import Evaluation
from training.reporting.metric_formats import FIGURES, between, money

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class CardPart:
    """One part of the data.

    Attributes:
        name, role: which, and what it decided.
        hours: its span, for people.
        rows, frauds: its size.
    """

    name: str
    role: str
    hours: str
    rows: int
    frauds: int


@dataclass(frozen=True, slots=True)
class Influence:
    """How much a feature moves the score.

    Attributes:
        description: of the feature.
        overall, on_frauds: mean absolute contribution over all payments and over frauds, log-odds.
    """

    description: str
    overall: float
    on_frauds: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot, as its PNG file.

    Attributes:
        title: what it shows. png: the file's bytes.
    """

    title: str
    png: bytes


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card tells.

    Attributes:
        version: whose card it is.
        made_by: how it came about, a sentence.
        made_at: when, with a time zone.
        data: facts of the transactions, by label.
        parts: how they were split, in order.
        policy: costs and threshold.
        threshold_source: what chose the threshold, a phrase.
        evaluation: figures on the part that nothing was chosen on.
        calibrator_kind: the calibrator's.
        comparisons: how the kinds of calibrator did, on rows they were not fitted on.
        provenance: where the version can be traced to, by label.
        random: the same pipeline's figures on a random split, where there was one, and
        random_note: what the difference means.
        influences: of the features, largest first.
        caveats: limits that only this run has, a sentence each.
        pictures: in the order shown.
    """

    version: ModelVersion
    made_by: str
    made_at: datetime
    data: Mapping[str, str]
    parts: Sequence[CardPart]
    policy: Policy
    threshold_source: str
    evaluation: Evaluation
    calibrator_kind: str
    comparisons: Sequence[KindMetrics]
    provenance: Mapping[str, str]
    random: Evaluation | None = None
    random_note: str = ""
    influences: Sequence[Influence] = ()
    caveats: Sequence[str] = ()
    pictures: Sequence[Picture] = field(default=(), repr=False)


def influences(
    contributions: FloatArray, is_fraud: BoolArray, fraud_rate: float
) -> tuple[Influence, ...]:
    """Average the features' contributions over a sample in which frauds are over-represented.

    Args:
        contributions: log-odds, float64 (n, len(FEATURES)). is_fraud: bool (n,), both kinds.
        fraud_rate: share of frauds among all payments, by which the two kinds are weighted.

    Returns:
        One for each feature, the largest overall influence first.
    """
    size = np.abs(contributions)
    frauds, others = size[is_fraud].mean(axis=0), size[~is_fraud].mean(axis=0)
    overall = fraud_rate * frauds + (1 - fraud_rate) * others
    return tuple(
        Influence(FEATURES[index].description, float(overall[index]), float(frauds[index]))
        for index in np.argsort(-overall)
    )


def render(facts: CardFacts) -> Card:
    """Write the card.

    Raises:
        ValueError: the short form exceeds MAX_DESCRIPTION characters.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Markdown is no HTML: the two places where it becomes HTML escape by themselves.
        autoescape=jinja2.select_autoescape(["html.j2"]),
    )
    environment.filters |= {"money": money, "cell": _cell, "between": between}
    context = {"facts": facts, "figures": FIGURES, "name": _name(facts.version)}
    markdown = environment.get_template("card.md.j2").render(context)
    description = environment.get_template("description.md.j2").render(context)
    if len(description) > MAX_DESCRIPTION:
        raise ValueError(f"the description has {len(description)} characters")
    # html off: a data file's name is shown, never interpreted.
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    html = environment.get_template("card.html.j2").render(
        context,
        body=body,
        pictures=[
            (picture.title, base64.b64encode(picture.png).decode()) for picture in facts.pictures
        ],
    )
    return Card(markdown, html, description)


def _name(version: ModelVersion) -> str:
    return f"{version.name} version {version.version}"


def _cell(text: str) -> str:
    """Return text that is one cell of a Markdown table and nothing else."""
    escaped = "".join(f"\\{c}" if c in "\\`*_[]<>|~!#&" else c for c in str(text))
    return " ".join(escaped.split())
