"""The network API without a cloud: its route table on a database of the test's own, asked by callers that are made up."""

import json
import types
import urllib.parse

from common import middleware
from common.context import Context
from common.wsgi import Request
from network.app import application
from network.conf import QUOTA_RESOURCES
from network.db import models
from network.service import NetworkApi

ROLES = {"admin": ("admin", "manager", "member", "reader"), "manager": ("manager", "member", "reader"),
         "member": ("member", "reader"), "reader": ("reader",), "service": ("service",), "meaningless": ("meaningless",)}


class Agents:
    """They take what they are told."""

    def plug(self, ctx, host, state, timeout_s) -> None:
        pass

    def changed(self, ctx, host, change) -> None:
        pass


class Compute:
    """What would be told to the compute service is noted."""

    def __init__(self):
        self.told: list[dict] = []

    def request(self, method, service, path, *, body=None, **more):
        self.told += body["events"]


def service(state: str, url: str = "") -> NetworkApi:
    unlimited = {f"quota.{name}": -1 for name in QUOTA_RESOURCES}
    made = NetworkApi.load(state, {**unlimited, **({"database.connection": url} if url else {})})
    assert made.db is not None
    models.METADATA.create_all(made.db.engine)
    made.agents, made.rest = Agents(), Compute()
    made.notifier = types.SimpleNamespace(notify=lambda *args, **more: None, on=False)
    return made


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status_int, response.headers
        self.json = json.loads(response.body) if response.body else None

    @property
    def error(self) -> tuple[int, str]:
        """(status, the error's type)"""
        return self.status, self.json["NeutronError"]["type"]

    @property
    def message(self) -> str:
        return self.json["NeutronError"]["message"]

    def __repr__(self):
        return f"{self.status} {self.json}"


class Caller:
    """Somebody with a token. ``caller("GET", "/networks")`` is an Answer; ``caller.made("networks", ...)`` what was made."""

    def __init__(self, served: NetworkApi, role: str, project_id: str | None = "p1", **scope):
        self.service, self.project_id = served, project_id
        self.ctx = Context(user_id="u", user_domain_id="default", project_id=project_id, roles=ROLES[role], **scope)
        self.app = middleware.Faults(application(served), served, "network")

    def __call__(self, method: str, path: str, body=None, headers=None, **query) -> Answer:
        where = f"/v2.0{path}" + (f"?{urllib.parse.urlencode(query, doseq=True)}" if query else "")
        req = Request.blank(where, method=method, headers=headers or {})
        if body is not None:
            req.json_body = body
        req.environ["pileus.context"] = self.ctx
        return Answer(req.get_response(self.app))

    def made(self, plural: str, **values) -> dict:
        name = plural.replace("-", "_").removesuffix("s")
        answer = self("POST", f"/{plural}", {name: values})
        assert answer.status == 201, answer
        return answer.json[name]

    def get(self, plural: str, row_id: str) -> dict:
        answer = self("GET", f"/{plural}/{row_id}")
        assert answer.status == 200, answer
        return next(iter(answer.json.values()))

    def put(self, plural: str, row_id: str, **values) -> Answer:
        return self("PUT", f"/{plural}/{row_id}", {plural.replace("-", "_").removesuffix("s"): values})

    def ids(self, plural: str, **query) -> list[str]:
        answer = self("GET", f"/{plural}", **query)
        assert answer.status == 200, answer
        return [row["id"] for row in answer.json[plural.replace("-", "_")]]
