"""Find the hours of a file that a registered version was trained on, to leave them out."""

from __future__ import annotations

from collections.abc import Sequence

from registry.client.base import RegisteredVersion
from registry.publish.tracking import Tracking

SOURCE_TAG = "sentinel.source_version"
"""Tag of a recalibrated version; its value is the version with the same booster."""


def unseen_from(
    tracking: Tracking, version: RegisteredVersion, fingerprint: str, part: str
) -> int | None:
    """Return the first hour of a part of the file, where the version was made from that file.

    Args:
        tracking: MLflow that holds the runs.
        version: version that is evaluated; versions that it was recalibrated from count too.
        fingerprint: fingerprint of the file's numbers, see `training.data.loading`.
        part: `calibrate` for hours that the booster was not fitted on, `test` for hours that no
            step used.

    Returns:
        The latest such hour over the version's lineage, or None if no version of it was made from
        the file. A part of the file, or the file with more rows, has another fingerprint.

    Raises:
        PublishError: MLflow refuses or does not answer.
    """
    hours: list[int] = []
    number: str | None = str(version.version)
    with tracking.translate_errors():
        while number is not None:
            registered = tracking.client.get_model_version(version.name, number)
            run_id = registered.run_id
            parameters = tracking.client.get_run(run_id).data.params if run_id else {}
            steps = parameters.get(f"{part}_steps")
            if parameters.get("data_fingerprint") == fingerprint and steps:
                hours.append(int(steps.split()[0]))
            number = registered.tags.get(SOURCE_TAG)
    return max(hours, default=None)


def note_on_another_file(source: str, numbers: Sequence[int]) -> str:
    """Return the caution on figures of a file that `unseen_from` did not recognise.

    Args:
        source: name of the file.
        numbers: numbers of the versions that were not made from it, at least one.
    """
    versions = " or ".join(map(str, numbers))
    return (
        f"{source} is not the file that version {versions} was made from; if it holds rows of that "
        "file, the figures are too good."
    )
