"""Read the aliases of many registered models in one search, not in one request a model.

Measured with MLflow 3.17.2 on SQLite and two cores, 500 registered models: a search returns all
aliases in 0.2 s (20 models: 0.025 s), directly from the database in 0.1 s; one request a model
takes 9 ms each, 4.5 s together. The search also returns all fields of each model's latest version.
A version that is not the latest is read when an alias is set to it, so it has the tags of that
time. A challenger's tags may change at any time: if some challenger is not the latest version, a
second search reads them (0.1 s for 500).

A name for which MLflow fails makes a search fail for every name in it. Such a search is divided
until the name is alone; from then on the name is read apart from the others until that succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import quote

from registry.client.base import AliasesOfName, RegisteredVersion, RegistryUnavailable
from registry.names import CANARY_TAG, CHALLENGER, PRODUCTION

FOLLOWED = (PRODUCTION, CHALLENGER)

# Keeps the filter, which is part of the URL, below the 8 kB that common proxies accept.
_NAMES_A_SEARCH = 100
_BYTES_A_SEARCH = 6_000
_NOBODY = "sentinel-nobody"
"""Name of a search that fails only if every search does."""


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
        self._failing: set[str] = set()
        self._aliased: set[str] = set()

    def __call__(self, names: Collection[str]) -> dict[str, AliasesOfName]:
        """See `RegistryReader.aliases`."""
        aliases: dict[str, AliasesOfName] = {}
        self._failing &= set(names)
        together = {name for name in names if _is_plain(name)} - self._failing
        for part in _parts(sorted(together)):
            try:
                aliases |= self._search(part)
            except RegistryUnavailable:
                # Raises as well if MLflow is unavailable, not one name.
                self._search([_NOBODY])
                aliases |= self._divided(part)
        apart = set(names) - together
        if apart and not together:
            self._search([_NOBODY])
        # A search leaves out what the login may not read, a request by name returns 403 for it.
        apart |= {name for name in self._aliased & together if not aliases[name]}
        aliases |= {name: self._alone(name) for name in apart}
        self._aliased = {name for name, found in aliases.items() if found}
        return {name: aliases[name] for name in names}

    def _divided(self, names: Sequence[str]) -> dict[str, AliasesOfName]:
        if len(names) == 1:
            self._failing.add(names[0])
            return {names[0]: self._alone(names[0])}
        aliases: dict[str, AliasesOfName] = {}
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            try:
                aliases |= self._search(half)
            except RegistryUnavailable:
                aliases |= self._divided(half)
        return aliases

    def _alone(self, name: str) -> AliasesOfName:
        """Read one name by requests that hold no filter and return only the aliased versions."""
        try:
            versions = ((alias, self._resolve(name, alias)) for alias in FOLLOWED)
            aliases = {alias: version for alias, version in versions if version}
        except RegistryUnavailable as error:
            return error
        if name in self._failing:
            with suppress(RegistryUnavailable):
                self._search([name])
                self._failing.discard(name)
        return aliases

    def _search(self, names: Sequence[str]) -> dict[str, AliasesOfName]:
        name_filter = f"name IN ({','.join(map(_quoted, names))})"
        aliases: dict[str, dict[str, RegisteredVersion]] = {name: {} for name in names}
        dangling: dict[str, AliasesOfName] = {}
        stale: set[str] = set()
        for model in self._search_models(name_filter):
            # A database that ignores case also returns names that differ in case.
            if model.name not in aliases:
                continue
            latest = {version.version: version for version in model.latest}
            for alias in FOLLOWED:
                number = model.aliases.get(alias)
                version = self._version(model, alias, number, latest)
                if number is None:
                    continue
                if version is None:
                    dangling[model.name] = RegistryUnavailable(
                        f"the alias {alias} names version {number}, which does not exist"
                    )
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
        return {**aliases, **dangling}

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


def _parts(names: Sequence[str]) -> Iterator[list[str]]:
    """Yield the names in parts whose filters fit into a URL."""
    part: list[str] = []
    size = 0
    for name in names:
        length = len(quote(_quoted(name), errors="replace")) + len("%2C")
        if part and (len(part) == _NAMES_A_SEARCH or size + length > _BYTES_A_SEARCH):
            yield part
            part, size = [], 0
        part.append(name)
        size += length
    if part:
        yield part
