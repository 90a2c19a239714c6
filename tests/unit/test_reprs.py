"""No repr of a class of values shows a secret: an exception or a log line would quote it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.support.paths import PROJECT

PACKAGES = (
    *("api", "app", "console", "observability", "persistence", "registry", "scoring", "sentinel"),
    *("serving", "training", "web"),
)
SECRET = re.compile(
    r"^(?!has_)(?:\w*_)?(?:secrets?|passwords?|tokens?|verifier|credentials?)$|^database_url$"
)
_MAY_HAVE_ONE = re.compile(r"^    \w*(?:secret|password|token|verifier|credential|base_url)", re.M)
"""A line of a class body; parsing all files takes seconds."""


def fields() -> Iterator[tuple[str, str, ast.AnnAssign]]:
    """Yield the class and the fields, without their own repr, of each class of values."""
    for package in PACKAGES:
        for path in (PROJECT / package).rglob("*.py"):
            if not _MAY_HAVE_ONE.search(text := path.read_text()):
                continue
            tree = ast.parse(text)
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and _shows_its_fields(node):
                    place = str(path.relative_to(PROJECT))
                    for item in node.body:
                        if isinstance(item, ast.AnnAssign):
                            yield place, node.name, item


def _shows_its_fields(node: ast.ClassDef) -> bool:
    if any(isinstance(one, ast.FunctionDef) and one.name == "__repr__" for one in node.body):
        return False
    made = [ast.unparse(one) for one in (*node.decorator_list, *node.bases)]
    return any(re.match(r"dataclass|NamedTuple|BaseSettings|BaseModel", one) for one in made)


def test_no_field_that_is_named_like_a_secret_is_in_a_repr() -> None:
    found = list(fields())
    assert len(found) > 20, "the classes are found"
    shown = {
        f"{place} {name}.{ast.unparse(item.target)}"
        for place, name, item in found
        if SECRET.search(ast.unparse(item.target))
        and "repr=False" not in (ast.unparse(item.value) if item.value else "")
    }
    assert shown == set()
