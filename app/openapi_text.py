"""What the OpenAPI document says about the service as a whole."""

from __future__ import annotations

from scoring.model.sandbox import FIXED_TESTS
from web.problem_types import PROBLEM_TYPES

TAGS = [
    {
        "name": "Scoring",
        "description": "Decide payments and explain decisions. Scope: score; /explain also review.",
    },
    {
        "name": "Event type",
        "description": "The fields that you send. Scope: any; changes: admin.",
    },
    {
        "name": "Review",
        "description": "The analysts' worklist, search, feedback, labels and the audit log. Scope: "
        "review; the audit log: admin.",
    },
    {
        "name": "Rules",
        "description": "Conditions, and lists of entities, that decide beside the model. Scope: "
        "review; rules and lists themselves: admin.",
    },
    {
        "name": "Models and policy",
        "description": "Which versions serve and challenge, and at which threshold. Scope: review; "
        "changes: admin.",
    },
    {
        "name": "Drift",
        "description": "How far payments have moved from those of the training. Scope: review.",
    },
    {"name": "Health", "description": "For probes and Prometheus. No API key."},
]
"""Groups of operations, in the order of the page."""


def _problem_table() -> str:
    kinds = sorted(PROBLEM_TYPES, key=lambda kind: (kind.status, kind.code))
    rows = [f"| `{p.code}` | {p.status} | {p.title} | {p.retry} |" for p in kinds]
    return "\n".join(["| type | status | title | retry |", "|---|---|---|---|", *rows])


DESCRIPTION = f"""Fraud decisions with exact reasons, stored before the reply.
The integrator's guide, with curl, Python and TypeScript, is `docs/api.md` of the source.

**Sandbox.** For a tenant in test mode, which the demo's is, the payer alone selects the decision:
`nameOrig` {", ".join(f"`{payer}`" for payer in FIXED_TESTS)}. The examples of /score send these.

**Retries.** Send your own `external_id` with every payment: the same id and body return the stored
decision, so a request may always be repeated. Wait as long as `Retry-After` says.

**Support.** Every reply has an `X-Request-ID`, which the service's log has too; send your own to
choose it.

**Problems.** Every error is `application/problem+json` (RFC 9457) with
`type` = `urn:sentinel:problem:` and one of these:

{_problem_table()}
"""
"""Description of the document, in Markdown."""
