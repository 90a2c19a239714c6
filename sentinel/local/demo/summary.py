"""What the demo prints at its end: the samples with their replies, and where everything is."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from scoring.counted import counted
from sentinel.local.demo import samples, traffic
from sentinel.local.demo.errors import DemoError
from sentinel.local.demo.people import PEOPLE
from sentinel.local.demo.samples import Sample
from sentinel.local.demo.tenant import TENANT
from sentinel.local.terminal import console, step


def fill_the_console(client: httpx.Client) -> None:
    """Score payments of a simulated month, so that the console shows something.

    Raises:
        DemoError: the service does not score them.
    """
    try:
        with step("Scoring payments of a simulated month for the console") as detail:
            payments, waiting = traffic.send_payments(client, detail)
    except httpx.HTTPError as error:
        raise DemoError(
            f"The service did not score the payments: {samples.reason(error)}"
        ) from error
    console.print(f"{counted(payments, 'payment')} scored; {waiting:,} wait for an analyst.")


def show_samples(client: httpx.Client, scored: Sequence[Sample]) -> None:
    """Score samples, and print each with its reply.

    Raises:
        DemoError: the service does not score one.
    """
    for sample in scored:
        try:
            reply = samples.score(client, sample)
        except httpx.HTTPError as error:
            reason = samples.reason(error)
            raise DemoError(f"The service did not score a transaction: {reason}") from error
        console.print(f"\n{sample.title}", style="bold")
        console.print(samples.compact(reply))


def show_addresses(
    url: str, sign_in_link: str, password: str, mlflow: str, environment_file: str
) -> None:
    """Print where everything is, and how to sign in.

    Args:
        url: address of the service.
        sign_in_link: link that signs the administrator in.
        password: password of the demo's people.
        mlflow: address and login of MLflow.
        environment_file: file with the settings, as a shell writes it.
    """
    emails = ", ".join(email for email, *_ in PEOPLE)
    console.print("\nOpen the console as its administrator (the link works once)", style="bold")
    console.print(sign_in_link)
    console.print(
        f"\n  Console      {url}/console (organisation {TENANT}; {emails}; password {password})"
        f"\n  Service      {url}"
        f"\n  API          {url}/docs"
        f"\n  MLflow       {mlflow}"
        f"\n  Settings     {environment_file}"
        "\n\nCtrl-C stops everything. `make demo` goes on with the same model and database, "
        "unless DATA is another file; `make clean` forgets them."
    )
