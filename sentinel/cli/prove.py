"""`sentinel prove`: a proof of one decision."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import click

from persistence.engine import OPERATOR_TIMEOUT_S
from persistence.sealing.proving import prove
from sentinel.cli.connection import connected_database


@click.command("prove")
@click.argument("prediction_id", type=click.UUID)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that the proof is written to.  [default: stdout]",
)
def prove_decision(prediction_id: UUID, out: Path | None) -> None:
    """Write a proof that a decision is in the sealed log, and what it was.

    Somebody without access to Sentinel checks it with docs/check_proof.py, which needs nothing but
    Python, and the public key that `sentinel seal init` printed. The proof has every field of the
    decision; docs/sealed-log.md says how to leave fields out of it.
    """
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, _):
        proof = json.dumps(prove(engine, prediction_id), indent=2, ensure_ascii=False)
    if out is None:
        click.echo(proof)
        return
    out.write_text(proof + "\n", encoding="utf-8")
    click.echo(f"The proof is in {out}.")
