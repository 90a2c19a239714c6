"""What the demo prints at its end: the samples with their replies, and where everything is."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from sentinel.local.demo import samples
from sentinel.local.demo.errors import DemoError
from sentinel.local.demo.fortnight.places import Place
from sentinel.local.demo.people import PEOPLE
from sentinel.local.demo.samples import Sample
from sentinel.local.demo.tenant import TENANT
from sentinel.local.terminal import console


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
    url: str,
    sign_in_link: str,
    password: str,
    mlflow: tuple[str, str],
    places: Sequence[Place],
) -> None:
    """Print how to sign in, and where to look.

    Args:
        url: address of the service.
        sign_in_link: link that signs the administrator in.
        password: password of the demo's people.
        mlflow: address of MLflow, and its login.
        places: pages of the console to look at.
    """
    emails = ", ".join(email for email, *_ in PEOPLE)
    console.print("\nOpen the console as its administrator (the link works once)", style="bold")
    console.print(sign_in_link)
    console.print(f"\nWhere to look (organisation {TENANT}; {emails}; password {password})")
    lines = [(place.name, f"{url}{place.path}", place.what) for place in places]
    lines += [("API", f"{url}/docs", ""), ("MLflow", *mlflow)]
    for name, address, what in lines:
        console.print(f"  {name:<10} {address}  {what}".rstrip())
    console.print(
        "\nCtrl-C stops everything. `make demo` goes on with the same model and database, "
        "unless DATA is another file; `make clean` forgets them."
    )
