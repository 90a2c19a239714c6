"""Which hours of a file a registered version has seen, so that it is not judged on them."""

from __future__ import annotations

from mlflow import MlflowClient

from registry.client.base import RegisteredVersion

SOURCE_TAG = "sentinel.source_version"
"""A tag of a recalibrated version: the version whose booster it has."""


def unseen_from(
    client: MlflowClient, version: RegisteredVersion, fingerprint: str, part: str
) -> int | None:
    """Return the first hour of a part of the file, where the version was made from that file.

    Args:
        client: asks MLflow. version: whose run, and those of the versions it was recalibrated from.
        fingerprint: of the file's numbers, see `training.data.loading`.
        part: `calibrate` for what the booster has not seen, `test` for what nothing has.

    Returns:
        The latest such hour over the version's lineage; None when the file is new to all of it.

    Raises:
        MlflowException: MLflow refuses or does not answer.
    """
    hours: list[int] = []
    number: str | None = str(version.version)
    while number is not None:
        found = client.get_model_version(version.name, number)
        parameters = client.get_run(found.run_id).data.params if found.run_id else {}
        steps = parameters.get(f"{part}_steps")
        if parameters.get("data_fingerprint") == fingerprint and steps:
            hours.append(int(steps.split()[0]))
        number = found.tags.get(SOURCE_TAG)
    return max(hours, default=None)
