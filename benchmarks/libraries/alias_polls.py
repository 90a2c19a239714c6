"""Poll all aliases through one client, in a process of registry_clients.py.

`python -m benchmarks.libraries.alias_polls CLIENT URI MODELS BEFORE` imports BEFORE (a module, or
empty), then the client, and polls once for each line of its input. Each line of its output is a
JSON array: wall time and CPU time of the poll in ms; in the first line also the time of the import
in ms, the memory of the import in MB, and that of import and first poll together in MB.
"""

from __future__ import annotations

import importlib
import json
import sys
from time import perf_counter, process_time

import psutil

CLIENTS = {
    "ours": ("registry.client.rest_client", "RestClient"),
    # SqlClient calls MlflowClient, and both clients use the same search.
    "mlflow-skinny": ("registry.client.sql_client", "SqlClient"),
}


def main(client: str, uri: str, models: int, before: str) -> None:
    """Import the client and poll.

    Args:
        client: name in CLIENTS.
        uri: tracking URI.
        models: number of registered models.
        before: module that is imported first, or empty.

    Raises:
        ValueError: a poll does not find every alias.
    """
    if before:
        importlib.import_module(before)
    process = psutil.Process()
    rss, begun = process.memory_info().rss, perf_counter()
    module, name = CLIENTS[client]
    reader = getattr(importlib.import_module(module), name)(uri)
    import_ms = (perf_counter() - begun) * 1e3
    import_mb = (process.memory_info().rss - rss) / 1e6
    names = [f"m-{i}" for i in range(models)]
    for line, _ in enumerate(sys.stdin):
        begun, used = perf_counter(), process_time()
        aliases = sum(map(len, reader.aliases(names).values()))
        poll = [(perf_counter() - begun) * 1e3, (process_time() - used) * 1e3]
        if aliases != models + models // 2:
            raise ValueError(f"the poll returned {aliases} aliases instead of {models * 3 // 2}")
        if line == 0:
            poll += [import_ms, import_mb, (process.memory_info().rss - rss) / 1e6]
        print(json.dumps(poll), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
