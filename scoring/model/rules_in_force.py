"""The rules and lists of a tenant that are in force after one change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from scoring.columns import FloatArray
from scoring.event import AnyEvent
from scoring.event_type.fields import EventType
from scoring.feature_set.history_windows import HistoryWindows, PastWindows
from scoring.feature_set.model_features import ModelFeatures
from scoring.lists.index import ListIndex
from scoring.policy import Thresholds
from scoring.prediction import Prediction
from scoring.rules.compiled import CompiledRules, compile_rules
from scoring.rules.condition import feature_kinds
from scoring.rules.payment_decider import PaymentDecider
from scoring.rules.rule import RuleSet
from scoring.rules.ruling import Ruling

MOST_COMPILED = 8
"""Pairs of event type and model version that stay compiled: champion and challenger, for a version
of the event type before and the one in force, twice over."""


@dataclass(frozen=True, slots=True, eq=False)
class RulesOfModel:
    """Rules and lists, compiled for the events of one type that one model version scores.

    Attributes:
        change: number of the change.
        compiled: compiled rules.
        index: entries of the lists.
        past: windows to read of past events: the version's, then those that only rules have.
        places: place of each of the rules' windows in `past`.
        features: features of the version.
    """

    change: int
    compiled: CompiledRules
    index: ListIndex
    past: PastWindows
    places: tuple[int, ...]
    features: ModelFeatures
    _decider: PaymentDecider = field(repr=False)

    def decide(
        self, event: AnyEvent, prediction: Prediction, windows: FloatArray, decided_at_ms: int
    ) -> Prediction:
        """Return a prediction as rules and lists decide it.

        Args:
            event: event that was scored.
            prediction: model's prediction for it, before chance.
            windows: values of the windows of `past`, float64 (windows,).
            decided_at_ms: time in the prediction's id, milliseconds since 1970 UTC.
        """
        return self.decide_with(
            event, prediction, [float(windows[place]) for place in self.places], decided_at_ms
        )

    def decide_with(
        self, event: AnyEvent, prediction: Prediction, values: Sequence[float], decided_at_ms: int
    ) -> Prediction:
        """Return what `decide` does, from the values of the rules' windows in their order."""
        verdict = self._decider.decide(
            event,
            prediction.score,
            prediction.features,
            values,
            decided_at_ms,
            self.index,
            Thresholds(prediction.threshold, prediction.decline_threshold),
        )
        windows_by_text = dict(zip(self.compiled.window_texts, values, strict=True))
        return prediction.ruled(Ruling(self.change, verdict, windows_by_text))


class RulesInForce:
    """The rules, lists and entries of a tenant after one change.

    Args:
        change: number of the change.
        rule_set: rules, lists and snoozes.
        index: entries of the lists.

    Attributes:
        decides_nothing: whether no payment can be decided, nor anything be evaluated.
    """

    def __init__(self, change: int, rule_set: RuleSet, index: ListIndex) -> None:
        self.change = change
        self.rule_set = rule_set
        self.index = index
        # Once, since every request asks for it: of 200 rules it takes 140 µs.
        acting = any(one.action is not None for one in rule_set.lists)
        self.decides_nothing = not rule_set.evaluated and not acting
        self._compiled: OrderedDict[tuple[int, int], RulesOfModel] = OrderedDict()

    @property
    def compiled_for(self) -> int:
        """Number of pairs of event type and model version that it is compiled for."""
        return len(self._compiled)

    def is_quick(self, event_type: EventType, features: ModelFeatures) -> bool:
        """Return whether a decision neither compiles the rules first nor reads past events.

        Args:
            event_type: event type of the events.
            features: features of the version.
        """
        found = self._compiled.get((id(event_type), id(features)))
        return found is not None and not found.past.windows

    def of_model(self, event_type: EventType, features: ModelFeatures) -> RulesOfModel:
        """Return the rules compiled for a model version; the first call takes milliseconds.

        Args:
            event_type: event type of the events.
            features: features of the version.
        """
        key = (id(event_type), id(features))
        found = self._compiled.get(key)
        if found is None:  # an entry keeps both objects, so that their ids stay theirs
            found = self._compiled[key] = _of_model(self, event_type, features)
            while len(self._compiled) > MOST_COMPILED:
                self._compiled.popitem(last=False)
        return found

    def compile_as(self, before: RulesInForce) -> None:
        """Compile for what the rules before were compiled for, so that no payment waits for it."""
        for one in list(before._compiled.values()):
            self.of_model(one.compiled.event_type, one.features)


def _of_model(rules: RulesInForce, event_type: EventType, features: ModelFeatures) -> RulesOfModel:
    compiled = compile_rules(rules.rule_set, event_type, feature_kinds(features))
    own = [window for window in compiled.windows if window not in features.windows]
    past: PastWindows = features
    if own:
        windows = (*features.windows, *own)
        past = HistoryWindows(windows, event_type, features.feature_set.categories)
    places = tuple(past.windows.index(window) for window in compiled.windows)
    return RulesOfModel(
        rules.change, compiled, rules.index, past, places, features, PaymentDecider(compiled)
    )
