"""`sentinel replay`: recompute a stored decision."""

from __future__ import annotations

from uuid import UUID

import click

from registry.client.factory import open_registry
from sentinel.cli.connection import actor, connected_database


@click.command("replay")
@click.argument("prediction_id", type=click.UUID)
def replay_decision(prediction_id: UUID) -> None:
    """Recompute the stored decision PREDICTION_ID from its transaction and model version.

    The policy, the rules and the lists are those that were in force for it. Windows, of features
    and of rules, are taken as stored, since more is known of the past now than then.

    Exit status 0 when the score, the decision and what decided are the same to the last bit, and
    the contributions within 1e-9; 1 when any of them differs.
    """
    # Imported here, because LightGBM and Numba take 1.8 s and no other command needs them.
    from registry.store.model_store import ModelStore
    from sentinel.operations.replay import replay

    with connected_database() as (engine, settings):
        registry = open_registry(settings.tracking_uri)
        model_store = ModelStore(registry, settings.model_cache)
        replayed = replay(engine, registry, model_store, prediction_id, actor())
    prediction = replayed.decided.prediction
    model = prediction.model
    for difference in replayed.differences:
        click.echo(f"{difference.name}: {difference.stored!r} is now {difference.recomputed!r}")
    if replayed.differences:
        raise click.ClickException(
            f"{model.name} version {model.version} does not repeat the decision."
        )
    click.echo(
        f"{model.name} version {model.version} repeats it to the last bit: "
        f"margin {prediction.margin!r}, score {prediction.score!r}."
    )
    if replayed.as_stored:
        click.echo(f"Taken as stored, because they use windows: {', '.join(replayed.as_stored)}.")
