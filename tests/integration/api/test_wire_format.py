"""Replies of the management routes: the bytes of the first release, but for what is named here.

Fields that later releases add stand beside those bytes.

`replies.json` holds the replies of commit 7905b3b, before schema objects, to the requests of
`tests/support/data/wire.py`, in their order. `fixed_text` there says which texts may differ. Added
since: `via`, `object` and `details` of an audit entry. Changed since: the times of a CSV file have
the `T` that those of JSON have.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from api.models import matured_decisions
from scoring.features import FEATURE_NAMES
from tests.support.data import wire, wire_rows
from tests.support.management_api import send

EXPECTED: list[list[Any]] = [
    [*reply, wire.fixed_text(body.encode())]
    for *reply, body in json.loads(Path(__file__).with_name("replies.json").read_text())
]


class _Clock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:  # noqa: ARG003
        return wire.NOW


def test_every_reply_is_the_first_releases_to_the_byte(
    engine: Engine, service_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matured_decisions, "datetime", _Clock)
    wire_rows.fill(engine, FEATURE_NAMES)
    requests = list(wire.requests())
    replies = send(service_engine, requests)
    matching = [
        [
            f"{tenant} {method} {path}",
            reply.status_code,
            {n: v for n, v in sorted(reply.headers.items()) if n != "content-length"},
            wire.fixed_text(reply.content),
        ]
        for (tenant, method, path, _), reply in zip(requests, replies, strict=True)
    ]
    for reply, expected in zip(matching, EXPECTED, strict=True):
        assert reply == expected
