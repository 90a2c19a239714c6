"""`sentinel seal`: make the sealing key, and seal what is stored."""

from __future__ import annotations

import signal
import threading
import time

import click

from persistence.engine import OPERATOR_TIMEOUT_S
from persistence.sealing.errors import SealError, SealingStopped
from persistence.sealing.head_files import HeadFiles
from persistence.sealing.sealer import EVERY_S, FULL_S, Pause, Sealer
from scoring.counted import counted
from scoring.errors import StoreUnavailable
from sentinel.cli.connection import connected_database
from sentinel.seal_key import make_key, read_key
from sentinel.settings import Settings


@click.group("seal")
def seal_group() -> None:
    """Seal decisions, labels, rules and the other records in a Merkle tree a tenant.

    `init` makes the key once; `run` seals what is stored, in the background, and exports signed
    heads to SENTINEL_SEAL_HEADS. `sentinel verify` proves from the database and these heads that
    nothing was changed, and `sentinel prove` gives a proof of one decision. See docs/sealed-log.md.
    """


@seal_group.command("init")
@click.option(
    "--name",
    required=True,
    help="Name of the key in the heads: an address of yours without https://, such as"
    " bank.example/sentinel.",
)
def init(name: str) -> None:
    """Make the key that signs the heads, in the file SENTINEL_SEAL_KEY, and print its public key.

    Give the public key to whoever verifies the log; a key that they read from this machine proves
    nothing to them. SENTINEL_SEAL_KEY unset: seal.key under SENTINEL_HOME.
    """
    path = Settings().seal_key_path
    signer = make_key(path, name)
    click.echo(f"The key is in {path}. Its public key, for auditors:", err=True)
    click.echo(signer.verifier)


@seal_group.command("key")
def key() -> None:
    """Print the public key."""
    click.echo(read_key(Settings().seal_key_path).verifier)


@seal_group.command("run")
@click.option("--once", is_flag=True, help="Seal what is stored now, export the heads, and end.")
def run(once: bool) -> None:
    """Seal what is stored, and export a signed head of each tenant's log once a minute.

    Needs the database's owner. Several may run: one seals, the others wait for it to end. A kill at
    any moment loses nothing. After each page of 1000 rows it pauses as long as the page took, so
    that catching up uses half of a core.
    """
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, settings):
        files = HeadFiles(settings.seal_heads_path)
        sealer = Sealer(engine, read_key(settings.seal_key_path), files, stopping.wait)
        if once:
            _once(sealer)
            return
        keep_sealing(sealer, stopping.wait)


def keep_sealing(sealer: Sealer, pause: Pause) -> None:
    """Seal what is new every few seconds, and hourly look at all rows; report each new fault.

    Args:
        sealer: sealer whose own pause is the same function.
        pause: function that waits for a number of seconds, and returns true where sealing ends.
    """
    full_at: float | None = None
    fault = ""
    is_over: object = False
    while not is_over:
        begun = time.monotonic()
        is_full = full_at is None or begun - full_at >= FULL_S
        now = ""
        try:
            if sealer.run(full=is_full) is not None and is_full:
                full_at = begun
        except SealingStopped:
            return
        except SealError as error:
            # The other tenants' pass is complete, and the sealer tries this one again by itself.
            full_at = begun if is_full else full_at
            now = str(error)
        except StoreUnavailable as error:
            now = str(error)
        if now and now != fault:
            click.echo(f"Not sealed: {now}", err=True)
        fault = now
        is_over = pause(EVERY_S)


def _once(sealer: Sealer) -> None:
    try:
        sealed = sealer.run(full=True)
    except SealingStopped:
        raise click.exceptions.Exit(128 + signal.SIGTERM) from None
    if sealed is None:
        raise click.ClickException("Another process is sealing; stop it, or leave it to do so.")
    click.echo(f"Sealed {counted(sealed, 'row')}.")
