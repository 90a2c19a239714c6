"""Access to MLflow: log and register versions, resolve aliases, download and verify models.

MLflow sends usage reports unless this variable is set when it is imported. No package above imports
MLflow by itself, so it is set here.
"""

from __future__ import annotations

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
