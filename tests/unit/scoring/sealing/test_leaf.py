"""Leaves commit to every field, and a field can be withdrawn by itself."""

from __future__ import annotations

import json

from scoring.sealing.leaf import (
    Leaf,
    canonical,
    commit_field,
    commit_fields,
    commit_row,
    field_salt,
)

SALT = bytes(range(32))
FIELDS = {"name_orig": '"C1"', "name_dest": '"M1"', "record": '{"score" : 0.5}'}


def test_a_leaf_is_canonical_json() -> None:
    leaf = Leaf("demo", "decision", 1, "key", SALT)
    assert leaf.data().decode() == (
        f'{{"commitment":"{SALT.hex()}","form":1,"key":"key","kind":"decision","tenant":"demo"}}'
    )


def test_canonical_json_is_that_of_pythons_json_for_any_text() -> None:
    document = {"\u20ac": '\u0001\t\n"\\/\u007f\u2028', "a": "\U0001f600", "": 1}
    expected = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(document) == expected.encode()


def test_each_change_of_a_field_its_name_or_the_salt_changes_the_commitment() -> None:
    whole = commit_row(SALT, FIELDS)
    others = [
        commit_row(SALT, FIELDS | {"name_dest": '"M2"'}),
        commit_row(SALT, {name: v for name, v in FIELDS.items() if name != "name_dest"}),
        commit_row(SALT, {"name_orig": '"M1"', "name_dest": '"C1"', "record": FIELDS["record"]}),
        commit_row(bytes(32), FIELDS),
    ]
    assert len({whole, *others}) == 5


def test_without_the_rows_salt_and_a_value_the_other_fields_still_prove_the_commitment() -> None:
    whole = commit_row(SALT, FIELDS)
    kept = {name: field_salt(SALT, name) for name in FIELDS if name != "name_orig"}
    withdrawn = commit_field(field_salt(SALT, "name_orig"), "name_orig", FIELDS["name_orig"])
    commitments = {name: commit_field(salt, name, FIELDS[name]) for name, salt in kept.items()}
    assert commit_fields(commitments | {"name_orig": withdrawn}) == whole
