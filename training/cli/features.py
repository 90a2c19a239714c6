"""`features`: suggest a feature set for an event type, and check one."""

from __future__ import annotations

from pathlib import Path

import click

from scoring.counted import counted


@click.group("features")
def features() -> None:
    """Suggest a feature set for an event type, and check one's own."""


@features.command("suggest")
@click.option(
    "--event-type",
    "event_type_file",
    type=click.Path(path_type=Path),
    required=True,
    help="File of the event type, as `sentinel event-types infer` writes it.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file, which is new.")
def suggest_features(event_type_file: Path, output: Path | None) -> None:
    """Print a feature set for an event type, which `train --features` reads."""
    from sentinel.event_type_file import read_event_type
    from sentinel.sentences import shown
    from training.features.feature_file import as_yaml
    from training.features.of_training import suggested

    text = as_yaml(suggested(read_event_type(event_type_file)))
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists():
        raise click.ClickException(f"{shown(output)} exists; name another file.")
    output.write_text(text, encoding="utf-8")
    click.echo(f"Wrote {shown(output)}.")


@features.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--event-type",
    "event_type_file",
    type=click.Path(path_type=Path),
    required=True,
    help="File of the event type that the features are computed from.",
)
def check_features(file: Path, event_type_file: Path) -> None:
    """Check that the features of FILE fit an event type; point at each fault."""
    from scoring.errors import InvalidFeatureSet
    from sentinel.event_type_file import read_event_type
    from sentinel.sentences import shown
    from training.features.feature_file import faults, read_feature_set

    event_type = read_event_type(event_type_file)
    feature_set = read_feature_set(file)
    try:
        opened = dict.fromkeys(feature_set.open_categories(event_type), ("a value",))
        compiled = type(feature_set)(feature_set.definitions, opened).compile(event_type)
    except InvalidFeatureSet as error:
        raise click.ClickException(f"{shown(file)} does not fit:{faults(error)}") from error
    click.echo(
        f"{counted(len(compiled.names), 'feature')} with "
        f"{counted(len(compiled.windows), 'window')} "
        f"{'fits' if len(compiled.names) == 1 else 'fit'} {event_type.name}."
    )
    for one in feature_set.definitions:
        if one.monotone:
            click.echo(f"{one.name} is monotone: {one.monotone}.")
