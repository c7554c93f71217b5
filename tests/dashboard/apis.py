"""The dashboard in the test's process, with APIs that answer as the test says: no cloud is started."""

import dataclasses
import json
import time
import types
import urllib.parse

import webob

from common import context, errors
from common.wsgi import Application
from dashboard import session
from dashboard.live import Streams
from dashboard.pages import Pages
from dashboard.regions import Regions
from dashboard.router import ROUTES

PROJECT, OTHER = "a" * 32, "b" * 32
ACTIVE = session.Session(token="t", expires_at=time.time() + 3600, user="eve", user_id="e" * 32, domain="Default",
                         project_id=PROJECT, project="of-eve", admin=True, region="RegionOne",
                         regions=["RegionOne"], id="chain", csrf="w" * 32)


@dataclasses.dataclass
class Sent:
    """A request that an API got."""

    method: str
    service: str
    path: str
    query: dict[str, str]
    body: object


class Apis:
    """Stands for the client of the APIs.

    :param answers: {"GET /v2.0/ports": the answer, an error to raise, or a function of the query}; what is not there is refused
        with 404
    """

    def __init__(self, **answers):
        self.answers, self.sent = answers, []

    def request(self, method, service, where, *, body=None, **more):
        path, _, query = str(where).partition("?")
        given = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if body is not None and not isinstance(body, (dict, list, str)):
            body = b"".join(body)
        self.sent.append(Sent(method, service, path, given, body))
        answer = self.answers.get(f"{method} {path}", errors.NotFound("It could not be found."))
        answer = answer(given) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return json.loads(json.dumps(answer))

    def changes(self, *methods: str) -> list[Sent]:
        return [sent for sent in self.sent if sent.method in (methods or ("POST", "PUT", "PATCH", "DELETE"))]


class Dashboard:
    """:param admin: whether the user who is logged in is an administrator"""

    def __init__(self, answers: dict, *, admin: bool = True):
        self.apis = Apis(**answers)
        self.active = dataclasses.replace(ACTIVE, admin=admin)
        self.noted: list[tuple[str, str | None]] = []  # changes that the dashboard tells of
        conf = types.SimpleNamespace(region="RegionOne", dashboard=types.SimpleNamespace(websso=[], websso_url=None))
        self.seal = session.Seal("11" * 32, 3600)
        self.service = types.SimpleNamespace(rest=self.apis, seal=self.seal, ended=session.Ended(), conf=conf)
        self.service.regions = Regions(self.service)
        self.service.streams = Streams(lambda active: active.id in self.service.ended, lambda active: session.is_alive(
            self.apis, active))
        self.service.changes = types.SimpleNamespace(note=lambda kind, project: self.noted.append((kind, project)))
        self.app = Pages(Application("dashboard", self.service, ROUTES), self.service)

    def send(self, path: str, fields: list[tuple[str, str]] | None = None, *, method: str = "", body: bytes | None = None,
             **headers) -> webob.Response:
        """The answer to a GET, or to a POST of a form with these fields, or of a body, of the user who is logged in."""
        request = webob.Request.blank(path, headers={
            "Cookie": f"{session.COOKIE}={self.seal.close(dataclasses.asdict(self.active))}", **headers})
        if fields is not None:
            request.method, request.content_type = "POST", "application/x-www-form-urlencoded"
            request.body = urllib.parse.urlencode([("csrfmiddlewaretoken", self.active.csrf), *fields]).encode()
        elif body is not None:
            request.method, request.body = "POST", body
        if method:
            request.environ["REQUEST_METHOD"] = method
        request.environ["pileus.context"] = context.Context()
        return request.get_response(self.app)

    def notice(self, response: webob.Response) -> str:
        """The notice that an answer leaves for the next page."""
        cookies = [c.split(";")[0].partition("=")[2] for c in response.headers.getall("Set-Cookie")
                   if c.startswith(f"{session.NOTICE}=")]
        assert cookies, response.text[-500:]
        return self.seal.open(cookies[0], 60, session.NOTICE)[1]
