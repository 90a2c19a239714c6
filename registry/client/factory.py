"""Choose a registry client by the tracking URI."""

from __future__ import annotations

from registry.client.address import parse_address
from registry.client.base import RegistryReader


def check_tracking_uri(tracking_uri: str) -> None:
    """Check a tracking URI, and the settings that go with a server's, without a request.

    Raises:
        TrackingUriError: the URI is neither `http(s)://...` nor a database URI.
        MlflowSettingsError: another setting cannot be used.
    """
    address = parse_address(tracking_uri)
    if address.is_server:
        from registry.client.http import check_settings

        check_settings(address)


def open_registry(tracking_uri: str) -> RegistryReader:
    """Return a client for a tracking URI (`http(s)://...`, or a database such as `sqlite:///...`).

    Raises:
        TrackingUriError: the URI is neither.
        MlflowSettingsError: another setting cannot be used.
    """
    address = parse_address(tracking_uri)
    if address.is_server:
        from registry.client.rest_client import RestClient

        return RestClient(tracking_uri)
    from registry.client.sql_client import SqlClient

    return SqlClient(tracking_uri)
