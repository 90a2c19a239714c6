"""The console in this process, over HTTP on a real database, with people of two tenants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from sqlalchemy import Engine

from api.dependencies import ApiDependencies
from api.pagination import Cursors
from app.management import create_app
from console.access import COOKIE, csrf_token
from persistence.actor import Actor
from persistence.api_keys import KeyIssuer, verify_key
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.people.links import create_link, use_link
from persistence.people.users import Role, User
from persistence.tenants import Tenant
from registry.client.base import RegisteredVersion
from scoring.prediction import ModelVersion
from tests.support.data.people import PASSWORD, put_person
from tests.support.data.review import decide
from tests.support.fixture_types import MakeTenant
from tests.support.stack import KEY_SECRET
from web.auth import Authenticator
from web.client_address import Network
from web.head import HeadAsGet
from web.openid import OpenIdProvider
from web.problems import ProblemBackstop

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES: dict[Role, str] = {"analyst": "Ana Analyst", "senior": "Bo Senior", "admin": "Chris Admin"}
MLFLOW_URL = "https://mlflow.demo.example"
_SETUP = Actor("setup")


class Person(httpx.Client):
    """A person who is signed in, as a browser without scripts: cookies, and the forms' CSRF token.

    Attributes:
        user: account of the person.
        token: token of the session.
    """

    def __init__(self, url: str, user: User, token: str) -> None:
        super().__init__(base_url=url, cookies={COOKIE: token}, timeout=30, trust_env=False)
        self.user = user
        self.token = token
        self.csrf = csrf_token(token)

    def submit(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form with the session's CSRF token; redirects are not followed."""
        return self.post(path, data={"csrf": self.csrf, **fields})


@dataclass(frozen=True)
class Site:
    """The console of the tenant `demo`, with a person of each role; and the tenant `other`.

    Attributes:
        url: address, without a path.
        engine: pool that owns the tables.
        tenant: tenant of the people.
        other: another tenant, with an administrator.
        people: account by role.
        stranger: administrator of `other`.
        registry: versions that MLflow has, by name and number.
        refreshed: tenants whose settings were put in force in the process.
    """

    url: str
    engine: Engine
    tenant: Tenant
    other: Tenant
    people: dict[Role, User]
    stranger: User
    registry: dict[tuple[str, int], RegisteredVersion] = field(default_factory=dict)
    refreshed: list[int] = field(default_factory=list)

    def person(self, who: Role | User = "analyst") -> Person:
        """Return a person who is signed in, over plain HTTP."""
        user = who if isinstance(who, User) else self.people[who]
        token = use_link(self.engine, create_link(self.engine, user, "sign_in", actor=_SETUP))
        return Person(self.url, user, token)

    def sign_in(self, page: Page, who: Role | User = "analyst", path: str = "/console") -> None:
        """Sign a person in to a browser by password, and open a page."""
        user = who if isinstance(who, User) else self.people[who]
        slug = self.tenant.slug if user.tenant_id == self.tenant.id else self.other.slug
        page.goto(f"{self.url}/console/sign-in?organisation={slug}&next={path}")
        page.get_by_label("E-mail").fill(user.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{self.url}{path}**")

    def decided(
        self, *scores: float, tenant: Tenant | None = None, **transaction: Any
    ) -> list[Decided]:
        """Store decisions with these scores, as the service would."""
        owner = tenant or self.tenant
        version = ModelVersion("fraud-demo", 1)
        made = [decide(owner, score, version, **transaction) for score in scores]
        assert DecisionLog(self.engine).write(made) == made
        return made


@pytest.fixture
def site(
    engine: Engine,
    service_engine: Engine,
    make_tenant: MakeTenant,
    free_port: Callable[[], int],
) -> Iterator[Site]:
    """The console on a database of the test's own."""
    tenant, other = make_tenant("demo"), make_tenant("other")
    people = {role: put_person(engine, tenant, name, role) for role, name in NAMES.items()}
    stranger = put_person(engine, other, "Olga Other", "admin")
    port = free_port()
    site = Site(f"http://127.0.0.1:{port}", engine, tenant, other, people, stranger)
    with serving_console(service_engine, port, site):
        yield site


@contextmanager
def serving_console(
    engine: Engine,
    port: int,
    site: Site,
    openid: OpenIdProvider | None = None,
    proxies: Sequence[Network] | None = None,
) -> Iterator[str]:
    """Serve the management application in a thread; it acts with the service's role.

    Args:
        engine: pool that acts as the service does.
        port: port of the server.
        site: console whose registry the application reads, and which notes refreshed tenants.
        openid: provider at which people may sign in.
        proxies: networks of the proxies in front of it; None: they are not known.
    """
    dependencies = ApiDependencies(
        engine,
        Authenticator(lambda key: verify_key(engine, key, KEY_SECRET)),
        Cursors(KEY_SECRET),
        site.refreshed.append,
        lambda name, number: site.registry.get((name, number)),
        KeyIssuer(KEY_SECRET),
        openid=openid,
        proxies=proxies,
        mlflow_url=MLFLOW_URL,
    )
    app = HeadAsGet(ProblemBackstop(create_app(dependencies)))
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
