"""Render the model card of a version: intended use, data, figures and limits.

After Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019). The card depends on
`CardFacts` only; a training, a search and a recalibration each fill them in.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import jinja2
import numpy as np
from markdown_it import MarkdownIt

from registry.publish.tracking import MAX_DESCRIPTION, Card
from scoring.columns import BoolArray, FloatArray
from scoring.counted import counted
from scoring.described_features import DescribedFeatures
from scoring.feature_set.model_features import ModelFeatures
from scoring.policy import Policy
from scoring.prediction import ModelVersion
from scoring.transaction import PAYSIM
from training.pipeline.calibration import KindMetrics
from training.pipeline.evaluation import Evaluation
from training.reporting.metric_formats import FIGURES, between, money

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class CardPart:
    """One part of the data.

    Attributes:
        name: name of the part.
        role: phrase on the use of the part.
        span: span of the part, for people: hours, dates or row numbers.
        rows: number of transactions.
        frauds: number of frauds.
    """

    name: str
    role: str
    span: str
    rows: int
    frauds: int


@dataclass(frozen=True, slots=True)
class Influence:
    """Mean size of a feature's contributions.

    Attributes:
        description: description of the feature.
        overall: mean absolute contribution over all payments, log-odds.
        on_frauds: mean absolute contribution over frauds, log-odds.
    """

    description: str
    overall: float
    on_frauds: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot as a PNG file.

    Attributes:
        title: sentence that describes the plot.
        png: bytes of the file.
    """

    title: str
    png: bytes


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Contents of a model card.

    Attributes:
        version: registered version that the card describes.
        made_by: sentence on the origin of the version.
        made_at: time of creation, with a time zone.
        data: facts about the transactions, by label.
        parts: parts of the data, in time order.
        inputs: sentences on what the features are made of, and what is no feature.
        policy: costs and threshold.
        threshold_source: phrase on the criterion that chose the threshold.
        evaluation: figures on the test part.
        calibrator_kind: kind of the calibrator.
        comparisons: metrics of each calibrator that was tried.
        compared_on: phrase on the data of these metrics.
        provenance: origin of the version, such as run and commit, by label.
        random: figures of the same pipeline on a random split, or None without one.
        random_note: interpretation of the difference between the two splits.
        influences: mean size of each feature's contributions, largest first.
        caveats: limits of this run only, a sentence each.
        pictures: plots in the order in which they are shown.
    """

    version: ModelVersion
    made_by: str
    made_at: datetime
    data: Mapping[str, str]
    parts: Sequence[CardPart]
    inputs: str
    policy: Policy
    threshold_source: str
    evaluation: Evaluation
    calibrator_kind: str
    comparisons: Sequence[KindMetrics]
    compared_on: str
    provenance: Mapping[str, str]
    random: Evaluation | None = None
    random_note: str = ""
    influences: Sequence[Influence] = ()
    caveats: Sequence[str] = ()
    pictures: Sequence[Picture] = field(default=(), repr=False)


def inputs(features: ModelFeatures) -> str:
    """Return sentences on what the features of a model are made of, and what is no feature."""
    return " ".join([_origin(features), *_directions(features)])


def _origin(features: ModelFeatures) -> str:
    if features.event_type is PAYSIM:
        return (
            "The features are those of one payment, without the payer's history and the network of "
            "accounts. Account names are not a feature, nor is anything that describes a person."
        )
    used = len(features.compiled.fields)
    if not features.windows:
        return (
            f"The features are made of {counted(used, 'field')} of one event, without the history "
            "of anyone. Whether "
            "one of them describes a person is for you to check."
        )
    return (
        f"The features are fields of the event and {counted(len(features.windows), 'window')} "
        "over the past "
        "events of its entities, back to 90 days; an entity without past events has nothing there. "
        "A fraud counts in a window only once its label is known. Whether a field describes a "
        "person is for you to check."
    )


def _directions(features: ModelFeatures) -> Iterator[str]:
    """Yield a sentence for each direction that features are held to."""
    for direction, move in (("increasing", "lowers"), ("decreasing", "raises")):
        held = [one for one in features.feature_set.definitions if one.monotone == direction]
        if held:
            names = ", ".join(f"`{one.name}`" for one in held)
            yield f"A higher value never {move} the score, all else equal: {names}."


def influences(
    contributions: FloatArray,
    is_fraud: BoolArray,
    fraud_rate: float,
    described: DescribedFeatures,
) -> tuple[Influence, ...]:
    """Average the features' contributions over a sample in which frauds are over-represented.

    Args:
        contributions: contributions, log-odds, float64 (n, number of features).
        is_fraud: labels, bool (n,), both kinds present.
        fraud_rate: share of frauds among all payments, the weight of the frauds.
        described: features as people read them.

    Returns:
        One influence for each feature, the largest overall first.
    """
    size = np.abs(contributions)
    frauds, others = size[is_fraud].mean(axis=0), size[~is_fraud].mean(axis=0)
    overall = fraud_rate * frauds + (1 - fraud_rate) * others
    return tuple(
        Influence(
            described.features[index].description, float(overall[index]), float(frauds[index])
        )
        for index in np.argsort(-overall)
    )


def render(facts: CardFacts) -> Card:
    """Return the card as Markdown, as HTML, and in a short form.

    Raises:
        ValueError: the short form exceeds MAX_DESCRIPTION characters.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Markdown is not HTML: markdown-it and MLflow escape it when they convert it.
        autoescape=jinja2.select_autoescape(["html.j2"]),
    )
    environment.filters |= {"money": money, "cell": _cell, "between": between}
    context = {"facts": facts, "figures": FIGURES, "name": _name(facts.version)}
    markdown = environment.get_template("card.md.j2").render(context)
    description = environment.get_template("description.md.j2").render(context)
    if len(description) > MAX_DESCRIPTION:
        raise ValueError(f"the description has {len(description)} characters")
    # html off: the name of a data file is shown as text.
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
    """Return text escaped so that Markdown shows it as it is, also in one cell of a table."""
    escaped = "".join(f"\\{c}" if c in "\\`*_[]<>|~!#&" else c for c in str(text))
    return " ".join(escaped.split())
