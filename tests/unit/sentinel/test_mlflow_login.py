"""The login that is made for the local MLflow."""

from __future__ import annotations

from pathlib import Path

from sentinel.local.mlflow_login import ensure_login, login_settings


def test_the_login_is_not_named_as_the_service_is_in_the_audit_log(tmp_path: Path) -> None:
    assert ensure_login(tmp_path).user == "admin"


def test_a_login_that_exists_keeps_its_user(tmp_path: Path) -> None:
    made = ensure_login(tmp_path)
    path = login_settings(tmp_path)
    path.write_text(path.read_text().replace("admin_username = admin", "admin_username = sentinel"))
    kept = ensure_login(tmp_path)
    assert (kept.user, kept.password) == ("sentinel", made.password)
