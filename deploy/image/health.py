"""Check whether the service of this container answers: exit status 0 or 1, stdlib only."""

from __future__ import annotations

import http.client
import os
import sys

_TIMEOUT_S = 4


def main() -> int:
    """Request /livez, which checks neither Postgres nor MLflow: a restart does not fix those."""
    port = int(os.environ.get("BENTOML_PORT", "3000"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"/livez does not respond: {error}")
        return 1
    print(f"/livez returned status {status}")
    return int(status != http.HTTPStatus.OK)


if __name__ == "__main__":
    sys.exit(main())
