"""FeatureSet: the ordered features of a model, and what they compile to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from scoring.columns import Columns, FloatArray
from scoring.errors import FieldError, InvalidExpression, InvalidFeatureSet
from scoring.expressions import (
    MAX_WINDOWS,
    Categories,
    CheckedExpression,
    Kinds,
    Schema,
    check_expression,
)
from scoring.expressions.execution.program import Program
from scoring.expressions.execution.translation import translate
from scoring.expressions.nodes import Call, FieldValue, Node, children
from scoring.feature_set.definition import FeatureDefinition
from scoring.windows.definition import WindowDefinition


@dataclass(frozen=True, slots=True)
class CompiledFeature:
    """A feature that fits the event type.

    Attributes:
        definition: feature as it is written.
        expression: checked form of its expression.
    """

    definition: FeatureDefinition
    expression: CheckedExpression

    @property
    def coded_field(self) -> str | None:
        """Category of which the feature is the code; None of another feature."""
        match self.expression.root:
            case Call("code", (FieldValue(name),)):
                return name
        return None


@dataclass(frozen=True, slots=True)
class CompiledFeatureSet:
    """The features of a model as one function of columns.

    Attributes:
        features: features in the order of the matrix.
        names: name of each feature.
        fields: names of the fields that they use, also in windows, in alphabetical order.
        windows: their windows, each once, in the order in which `matrix` takes their values.
        schema: fields and categories that they were checked against.
        program: operations.
    """

    features: tuple[CompiledFeature, ...]
    names: tuple[str, ...]
    fields: tuple[str, ...]
    windows: tuple[WindowDefinition, ...]
    schema: Schema
    program: Program = field(repr=False, compare=False)

    def matrix(self, columns: Columns, window_values: Sequence[FloatArray] = ()) -> FloatArray:
        """Compute every feature of n events.

        Args:
            columns: columns of n events, at least those of `fields`.
            window_values: values of each window, float64 (n,), in the order of `windows`.

        Returns:
            C-contiguous float64 (n, number of features), each value finite or NaN (missing).
        """
        return self.program.matrix(columns, window_values)


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """The features that a model version carries.

    Attributes:
        definitions: features in the order of the model's inputs.
        categories: values of the open categories whose codes are used, in the order of the codes,
            as they were in the training data.
    """

    definitions: tuple[FeatureDefinition, ...]
    categories: Categories = field(default_factory=dict)

    def compile(self, kinds: Kinds) -> CompiledFeatureSet:
        """Compile the features against an event type; common parts are computed once.

        Args:
            kinds: event type, or kind by field name. Columns must keep what an event type
                promises, so compile again for another version of it.

        Raises:
            InvalidFeatureSet: expressions are not valid, and `errors` has each of them, with its
                text and the offending part marked; or the code of an open category is monotone.
        """
        schema = Schema.of(kinds, self.categories)
        features: list[CompiledFeature] = []
        errors: list[FieldError] = []
        for definition in self.definitions:
            try:
                checked = check_expression(definition.expression, schema)
            except InvalidExpression as error:
                where = f"features.{definition.name}.expression"
                errors.append(FieldError(where, error.pointed()))
            else:
                feature = CompiledFeature(definition, checked)
                features.append(feature)
                errors.extend(_faults_of_direction(feature, schema))
        if errors:
            raise _invalid(*errors)
        try:
            program, windows = translate([feature.expression.root for feature in features], schema)
        except RecursionError:
            # The caller's own stack leaves too little of Python's limit.
            raise _invalid(FieldError("features", "must be nested less deeply")) from None
        if len(windows) > MAX_WINDOWS:
            message = f"must have at most {MAX_WINDOWS} distinct windows; it has {len(windows)}"
            raise _invalid(FieldError("features", message))
        return CompiledFeatureSet(
            features=tuple(features),
            names=tuple(feature.definition.name for feature in features),
            fields=tuple(sorted({name for one in features for name in one.expression.fields})),
            windows=windows,
            schema=schema,
            program=program,
        )

    def open_categories(self, kinds: Kinds) -> tuple[str, ...]:
        """Return the open categories whose codes the features use, which training has to learn.

        Args:
            kinds: event type, or kind by field name.

        Raises:
            InvalidFeatureSet: as of `compile`.
        """
        schema = Schema.of(kinds)
        opened = {
            one.name: ()
            for one in schema.fields.values()
            if one.kind == "category" and not one.values
        }
        compiled = FeatureSet(self.definitions, opened).compile(kinds)
        coded = {name for one in compiled.features for name in _coded(one.expression.root)}
        return tuple(sorted(coded & opened.keys()))


def _invalid(*errors: FieldError) -> InvalidFeatureSet:
    return InvalidFeatureSet("The feature set does not fit the event type.", errors=errors)


def _faults_of_direction(feature: CompiledFeature, schema: Schema) -> Iterator[FieldError]:
    """Yield the fault of a feature that is monotone and split by sets of codes, not by order."""
    name = feature.coded_field
    if feature.definition.monotone and name and schema.fields[name].values is None:
        yield FieldError(
            f"features.{feature.definition.name}.monotone",
            f"cannot be {feature.definition.monotone}: {name} is an open category, whose codes have"
            " no order; list its values in the event type, or leave this out",
        )


def _coded(node: Node) -> set[str]:
    found = {name for child in children(node) for name in _coded(child)}
    match node:
        case Call("code", (FieldValue(name),)):
            found.add(name)
    return found
