"""The identity service within the test's own process: its real application over SQLite, without sockets."""

import functools
import json
import pathlib
import tempfile

import pytest
import webob

from common import migrate
from common.service import default_url
from identity.cli import bootstrap
from identity.service import IdentityApi


@functools.cache
def empty_database() -> bytes:
    """An SQLite file with the tables of the service."""
    with tempfile.TemporaryDirectory() as state:
        url = default_url(state, "identity")
        migrate.sync("identity.db", url)
        return pathlib.Path(url.removeprefix("sqlite:///")).read_bytes()


class Caller:
    """Requests to the application as a client sends them; a failing status raises nothing here."""

    def __init__(self, state, overrides: dict | None = None, *, empty: bool = False, rules: str = ""):
        """:param rules: an operator's policy file"""
        if rules:
            file = pathlib.Path(state) / "etc" / "identity-policy.yaml"
            file.parent.mkdir()
            file.write_text(rules)
        database = pathlib.Path(default_url(str(state), "identity").removeprefix("sqlite:///"))
        if not database.exists():
            database.write_bytes(empty_database())
        # The cheapest hash: what these tests ask does not depend on it. Nothing here reads revocations again and again.
        self.service = IdentityApi.load(str(state), {"identity.password_hash_rounds": 4,
                                                          "service_auth.max_silence": 3600, **(overrides or {})})
        if not empty:
            bootstrap(self.service, "secret", {"nova": "service-secret"}, "127.0.0.1", "RegionOne")
        self.service.started()
        self.service.revocations.run_once()
        self.app, self.admin_app = self.service.wsgi_app("identity"), self.service.wsgi_app("admin")

    def send(self, method: str, path: str, body=None, *, token: str = "", app=None, **headers) -> webob.Response:
        request = webob.Request.blank(path, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})
        if token:
            request.headers["X-Auth-Token"] = token
        if body is not None:
            request.body, request.content_type = json.dumps(body).encode(), "application/json"
        return request.get_response(app or self.app)

    def login(self, name: str, password: str, scope=None) -> webob.Response:
        auth = {"identity": {"methods": ["password"], "password": {"user": {
            "name": name, "domain": {"id": "default"}, "password": password}}}, **({"scope": scope} if scope else {})}
        return self.send("POST", "/v3/auth/tokens", {"auth": auth})

    @property
    def admin(self) -> str:
        """A token of the administrator's."""
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        return self.login("admin", "secret", scope).headers["X-Subject-Token"]

    def close(self) -> None:
        self.service.stop()
        self.service.db.engine.dispose()


@pytest.fixture
def identity(tmp_path):
    made = Caller(tmp_path)
    yield made
    made.close()
