"""Read the aliases of many registered models in one search, not in one request a model.

Measured with MLflow 3.17.2 on SQLite and two cores, 500 registered models: a search returns all
aliases in 0.2 s (20 models: 0.025 s), directly from the database in 0.1 s; one request a model
takes 9 ms each, 4.5 s together. The search also returns all fields of each model's latest version.
A version that is not the latest is read when an alias is set to it, so it has the tags of that
time. A challenger's tags may change at any time: if some challenger is not the latest version, a
second search reads them (0.1 s for 500).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from registry.client.base import RegisteredVersion
from registry.names import CANARY_TAG, CHALLENGER, PRODUCTION

FOLLOWED = (PRODUCTION, CHALLENGER)

# Keeps the filter, which is part of the URL, below the 8 kB that common proxies accept.
_NAMES_A_SEARCH = 100

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A registered model in the result of a search.

    Attributes:
        name: name of the registered model.
        created_ms: time of its creation, Unix milliseconds.
        aliases: version number by alias.
        latest: its newest versions, with all their fields.
    """

    name: str
    created_ms: int
    aliases: Mapping[str, int]
    latest: Sequence[RegisteredVersion]


class AliasSearch:
    """Reads aliases through the searches of one registry.

    Args:
        search_models: function that returns every registered model that matches a filter.
        search_versions: function that returns every version that matches a filter.
        find: function that returns a version by its number.
        resolve: function that returns a version by its alias.
    """

    def __init__(
        self,
        search_models: Callable[[str], Sequence[ListedModel]],
        search_versions: Callable[[str], Sequence[RegisteredVersion]],
        find: Callable[[str, int], RegisteredVersion | None],
        resolve: Callable[[str, str], RegisteredVersion | None],
    ) -> None:
        self._search_models = search_models
        self._search_versions = search_versions
        self._find = find
        self._resolve = resolve
        # Within one registered model MLflow never reuses a number, not even of a deleted version.
        self._older: dict[tuple[str, str], tuple[int, RegisteredVersion]] = {}

    def __call__(self, names: Collection[str]) -> dict[str, dict[str, RegisteredVersion]]:
        """See `RegistryReader.aliases`."""
        aliases: dict[str, dict[str, RegisteredVersion]] = {name: {} for name in names}
        plain = sorted(name for name in aliases if _is_plain(name))
        for part in _parts(plain, _NAMES_A_SEARCH):
            aliases |= self._search(part)
        for name in aliases.keys() - set(plain):
            versions = ((alias, self._resolve(name, alias)) for alias in FOLLOWED)
            aliases[name] = {alias: version for alias, version in versions if version}
        return aliases

    def _search(self, names: Sequence[str]) -> dict[str, dict[str, RegisteredVersion]]:
        name_filter = f"name IN ({','.join(map(_quoted, names))})"
        aliases: dict[str, dict[str, RegisteredVersion]] = {name: {} for name in names}
        stale: set[str] = set()
        for model in self._search_models(name_filter):
            latest = {version.version: version for version in model.latest}
            for alias in FOLLOWED:
                number = model.aliases.get(alias)
                version = self._version(model, alias, number, latest)
                if number is None or version is None:
                    continue
                aliases[model.name][alias] = version
                if alias == CHALLENGER and number not in latest:
                    stale.add(model.name)
        if stale:
            tagged = self._search_versions(f"{name_filter} AND tags.`{CANARY_TAG}` LIKE '%'")
            tags = {version: version.tags for version in tagged}
            for name in stale:
                version = aliases[name][CHALLENGER]
                aliases[name][CHALLENGER] = replace(version, tags=tags.get(version, {}))
        return aliases

    def _version(
        self,
        model: ListedModel,
        alias: str,
        number: int | None,
        latest: Mapping[int, RegisteredVersion],
    ) -> RegisteredVersion | None:
        """Return the version under an alias; read one that is not the latest once, until it moves.

        Args:
            model: registered model of the alias.
            alias: alias of the version.
            number: number of the version; None: the model has no such alias.
            latest: the model's newest versions by number.
        """
        key = (model.name, alias)
        if number is None or number in latest:
            self._older.pop(key, None)
            return None if number is None else latest[number]
        created_ms, version = self._older.get(key, (0, None))
        if version is None or (created_ms, version.version) != (model.created_ms, number):
            version = self._find(model.name, number)
            if version is not None:
                self._older[key] = (model.created_ms, version)
        return version


def _is_plain(name: str) -> bool:
    """Whether the filter language can hold the name."""
    return "'" not in name and "\\" not in name


def _quoted(name: str) -> str:
    return f"'{name}'"


def _parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
