"""Entries of the audit log as sentences, with what changed and the page of the object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup

from console.strings import texts, translate
from persistence.review.audit import AuditEntry

NOUNS = (
    *("approval", "assignment", "case", "case_entity", "case_event", "case_note", "challenger"),
    *("event_type", "feedback", "key", "label", "link"),
    *("list", "list_entries", "policy", "policy_proposal", "promotion", "refusal", "rule"),
    *("search", "session", "snooze", "tenant", "upload", "user"),
)
VERBS = ("created", "changed", "removed")
ACTIONS = tuple(f"{noun}.{verb}" for noun in NOUNS for verb in VERBS)
"""Actions of changes."""
READS = (
    *("transaction.read", "transactions.searched", "transactions.exported"),
    *("case.read", "case.exported", "upload.read", "upload.exported"),
)
"""Actions of readings."""
_SEVERAL = {
    "list_entries.created": "list_entries_added",
    "list_entries.removed": "list_entries_taken",
}
_IDS = ("tenant_id", "id", "at", "created_at")
_MAX_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Change:
    """A column before and after.

    Attributes:
        name: name of the column.
        before: value before; empty where there was none.
        after: value after; empty where there is none.
    """

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """An entry as a person reads it.

    Attributes:
        entry: the entry.
        text: the sentence, with a link to the object's page where it has one.
        changes: columns that changed.
    """

    entry: AuditEntry
    text: Markup
    changes: tuple[Change, ...]


def sentence_of(entry: AuditEntry, language: str, people: Mapping[str, str]) -> Sentence:
    """Return an entry as a sentence.

    Args:
        entry: entry of the audit log or of the access log.
        language: language of the sentence.
        people: name of each person by the object of their entries, such as `users/7`.
    """
    item = entry.after or entry.before or {}
    key = f"audit.sentences.{_special(entry) or entry.action.replace('.', '_')}"
    values = {"actor": Markup("<strong>{}</strong>").format(entry.actor)}
    noun, _, verb = entry.action.partition(".")
    known = texts(language)
    if key not in known:
        key = f"audit.verbs.{verb}" if f"audit.verbs.{verb}" in known else "audit.verbs.other"
    named = f"audit.nouns.{noun}"
    values |= {
        "noun": Markup.escape(known.get(named, noun)),
        "object": _object(entry.object, item, people),
        "name": Markup.escape(str(item.get("name") or item.get("email") or "")),
        "label": Markup.escape(_label(item, known)),
        "value": Markup.escape(str(item.get("value", ""))),
        "count": Markup.escape(str(item.get("count", ""))),
        "rows": Markup.escape(str((entry.details or {}).get("rows", ""))),
    }
    text = Markup(translate(language, key)).format(**values)  # noqa: S704 - our own texts
    return Sentence(entry, text, tuple(_changes(entry)))


def action_name(action: str, language: str) -> str:
    """Return an action as people read it, such as `API key: created`.

    Args:
        action: one of ACTIONS or READS; any other is returned as it is.
        language: language of the name.
    """
    known = texts(language)
    if f"audit.readings.{action.replace('.', '_')}" in known:
        return known[f"audit.readings.{action.replace('.', '_')}"]
    noun, _, verb = action.partition(".")
    kind, done = known.get(f"audit.kinds.{noun}"), known.get(f"audit.done.{verb}")
    return f"{kind}: {done}" if kind and done else action


def page_of(object_: str | None) -> str | None:
    """Return the address of the page of an object; None where it has none."""
    kind, _, key = (object_ or "").partition("/")
    if kind == "models" and "/" in key:
        return f"/console/models/{quote(key.rpartition('/')[2], safe='')}"
    if kind in ("transactions", "rules", "lists", "cases", "uploads") and key:
        return f"/console/{kind}/{quote(key, safe='')}"
    if kind == "accounts" and key:
        return f"/console/search?{urlencode({'q': key})}"
    return {
        "users": "/console/settings/people",
        "keys": "/console/settings/keys",
        "policy": "/console/threshold",
    }.get(kind)


def _special(entry: AuditEntry) -> str | None:
    """Return the name of the sentence of a change that means more than its row."""
    before, after = entry.before or {}, entry.after or {}
    if entry.action == "key.changed" and after.get("revoked_at") and not before.get("revoked_at"):
        return "key_revoked"
    if entry.action == "user.changed":
        if after.get("disabled_at") and not before.get("disabled_at"):
            return "user_disabled"
        if before.get("disabled_at") and not after.get("disabled_at"):
            return "user_enabled"
        if before.get("role") != after.get("role"):
            return "user_role"
        if before.get("password_set_at") != after.get("password_set_at"):
            return "user_password"
    if entry.action == "upload.changed" and before.get("status") != after.get("status"):
        return f"upload_{after.get('status')}"
    if entry.action == "policy_proposal.changed" and before.get("status") != after.get("status"):
        return f"proposal_{after.get('status')}"
    if entry.action == "rule.changed" and before.get("state") != after.get("state"):
        return f"rule_{after.get('state')}"
    if entry.action == "case.changed" and before.get("status") != after.get("status"):
        return "case_closed" if after.get("status") == "closed" else "case_reopened"
    if entry.action in ("list_entries.created", "list_entries.removed"):
        is_several = (after or before).get("count", 1) != 1
        return _SEVERAL[entry.action] if is_several else None
    if entry.action == "link.changed":
        return "link_used"
    return None


def _object(object_: str | None, item: Mapping[str, Any], people: Mapping[str, str]) -> Markup:
    if object_ is None:
        return Markup("")
    kind, _, key = object_.partition("/")
    shown = people.get(object_, key)
    if kind in ("keys", "rules"):
        shown = str(item.get("name") or key)
    path = page_of(object_)
    if path is None:
        return Markup.escape(shown or kind)
    return Markup('<a href="{}" class="wrap">{}</a>').format(path, shown or kind)


def _label(item: Mapping[str, Any], known: Mapping[str, str]) -> str:
    label = str(item.get("label") or item.get("role") or "")
    for section in ("verdict", "role"):
        if f"{section}.{label}" in known:
            return known[f"{section}.{label}"]
    return label


def _changes(entry: AuditEntry) -> list[Change]:
    before, after = entry.before or {}, entry.after or {}
    if entry.details:
        wanted = dict(entry.details.get("filter") or {})
        return [Change(name, "", _shown(value)) for name, value in wanted.items()]
    return [
        Change(name, _shown(before.get(name)), _shown(after.get(name)))
        for name in {**before, **after}
        if name not in _IDS and before.get(name) != after.get(name)
    ]


def _shown(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}\N{HORIZONTAL ELLIPSIS}"
