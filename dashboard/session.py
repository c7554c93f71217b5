"""Sessions: a sealed cookie with the user's token, and what ends it.

A cookie is Fernet's format (AES-128-CBC and HMAC-SHA256, with the time): a browser can neither read nor change it. Each
kind of cookie has a key of its own, so that none is taken for another.

All tokens of one login are one chain in identity; the chain's id is the session's. Who switches to another project gets
another token of the chain, and the one before is revoked; who logs out has the whole chain revoked, so that no copy of a
cookie of this session opens anything any more.

Forms carry a word that another site cannot know: before the login it is in the cookie ``csrftoken``, after it in the
session, made anew by the login. Cookies are SameSite=Lax.
"""

import base64
import dataclasses
import datetime
import hmac
import json
import logging
import re
import secrets
import time
import urllib.parse

from cryptography.fernet import Fernet, InvalidToken

from common import errors, values
from common.context import Context
from common.context import active as active_context
from common.rest import path

LOG = logging.getLogger(__name__)
COOKIE, CSRF, NOTICE = "sessionid", "csrftoken", "messages"
NOTICE_S = 60
MAX_FORM_BYTES, MAX_FIELDS = 65536, 100
_WORD = re.compile(r"[A-Za-z0-9_-]{32,64}")


class NoProject(errors.Unauthorized):
    message = "You are not a member of any project. Ask the operator of this cloud for one."


@dataclasses.dataclass(frozen=True)
class Session:
    """Who is logged in, and for which project. ``expires_at``: seconds since 1970, the token's."""

    token: str
    expires_at: float
    user: str
    project_id: str
    project: str
    admin: bool
    id: str  # of the chain of tokens that began with the login
    csrf: str

    def context(self) -> Context:
        """The user's, under the id of the page that is being made: ``pileus trace`` finds its calls by that."""
        page = active_context()
        return Context(token=self.token, project_id=self.project_id, global_request_id=page.trace_id if page else None)


class Seal:
    """:param secret: 64 hexadecimal digits; a wrong one raises ValueError at start. Empty: sessions end with the process."""

    def __init__(self, secret: str, session_s: int):
        raw = bytes.fromhex(secret or secrets.token_hex(32))
        self.session_s = session_s
        self.keys = {kind: Fernet(base64.urlsafe_b64encode(hmac.digest(raw, f"pileus dashboard {kind}".encode(), "sha256")))
                     for kind in (COOKIE, NOTICE)}

    def close(self, value, kind: str = COOKIE) -> str:
        return self.keys[kind].encrypt(json.dumps(value).encode()).decode()

    def open(self, text: str, ttl_s: int, kind: str = COOKIE):
        """What was sealed as that kind, or None where it is too old, or not ours."""
        try:
            return json.loads(self.keys[kind].decrypt(text.encode("utf-8", "replace"), ttl=ttl_s))
        except (InvalidToken, ValueError):
            return None


class Ended:
    """Sessions that ended here: refused at once, and not only when the services have heard of it."""

    def __init__(self):
        self._until: dict[str, float] = {}

    def add(self, session: Session) -> None:
        now = time.time()
        self._until = {id: until for id, until in self._until.items() if until > now} | {session.id: session.expires_at}

    def __contains__(self, id: str) -> bool:
        return id in self._until


def current(req) -> Session | None:
    """The session of a request, or None."""
    found = req.svc.seal.open(req.cookies.get(COOKIE, ""), req.svc.seal.session_s)
    if not isinstance(found, dict) or set(found) != {f.name for f in dataclasses.fields(Session)}:
        return None
    session = Session(**found)
    return session if session.expires_at > time.time() and session.id not in req.svc.ended else None


def required(req) -> Session:
    """:raises Unauthorized: nobody is logged in; the pages' filter then shows the way to the login"""
    session = current(req)
    if session is None:
        raise errors.Unauthorized()
    return session


def notice(req) -> str:
    """What the last page left to be said, or nothing."""
    found = req.svc.seal.open(req.cookies.get(NOTICE, ""), NOTICE_S, NOTICE)
    return found if isinstance(found, str) else ""


def set_cookie(req, response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(name, value, max_age=max_age, httponly=True, samesite="Lax", secure=req.scheme == "https")


def new_word() -> str:
    return secrets.token_urlsafe(24)


def csrf(req) -> str:
    """The word that this browser's forms must carry: the session's, else the browser's own, made at its first page."""
    active = current(req)
    if active:
        return active.csrf
    own = req.cookies.get(CSRF, "")
    return req.environ.setdefault("dashboard.csrf", own if _WORD.fullmatch(own) else new_word())


def form(req) -> dict[str, str]:
    """The fields of a posted form.

    :raises Forbidden: it was not posted from a page of ours
    :raises BadRequest: it is no form; :raises TooLarge: no form of ours is that large
    """
    fields = _fields(req)
    given, active = fields.get("csrfmiddlewaretoken", ""), current(req)
    known = active.csrf if active else req.cookies.get(CSRF, "")
    if not known or not values.same_secret(known, given):
        raise errors.Forbidden("This form is too old, or did not come from this dashboard. Go back, reload the page, and try "
                               "again.")
    origin = req.headers.get("Origin")
    if origin not in (None, "null") and _host(origin) != req.host:
        raise errors.Forbidden("This form did not come from this dashboard.")
    return {k: v.strip() if "password" not in k else v for k, v in fields.items()}


def _host(origin: str) -> str | None:
    try:
        return urllib.parse.urlsplit(origin).netloc
    except ValueError:
        return None


def _fields(req) -> dict[str, str]:
    if req.content_type != "application/x-www-form-urlencoded":
        raise errors.BadRequest("This is no form of the dashboard.")
    length = req.content_length
    if length is None or length > MAX_FORM_BYTES:
        raise errors.TooLarge(f"A form may have {MAX_FORM_BYTES} bytes.")
    try:
        text = req.environ["wsgi.input"].read(length).decode()
        return dict(urllib.parse.parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))
    except ValueError:
        raise errors.BadRequest("The form cannot be read.") from None


def log_in(req, user: str, password: str, domain: str) -> Session:
    """A session for the user's first project.

    :raises Unauthorized: with identity's own words
    :raises NoProject: the password is right
    """
    identity = {"methods": ["password"], "password": {"user": {"name": user, "password": password,
                                                               "domain": {"name": domain}}}}
    unscoped, _ = _token(req, {"identity": identity, "scope": "unscoped"})
    projects = projects_of(req, unscoped)
    if not projects:
        raise NoProject()
    return scoped(req, unscoped, projects[0]["id"], new_word())


def projects_of(req, token: str) -> list[dict]:
    found = req.svc.rest.request("GET", "identity", path("/v3/auth/projects"), ctx=Context(token=token))["projects"]
    return sorted((p for p in found if p["enabled"]), key=lambda p: p["name"])


def scoped(req, token: str, project_id: str, csrf: str) -> Session:
    """A session for a project, from a token of the same user. :raises Unauthorized: it has ended, or he has no role there"""
    try:
        text, body = _token(req, {"identity": {"methods": ["token"], "token": {"id": token}},
                                  "scope": {"project": {"id": project_id}}})
    except errors.NotFound:  # the token, as identity says it
        raise errors.Unauthorized() from None
    expires = datetime.datetime.fromisoformat(body["expires_at"].replace("Z", "+00:00"))
    return Session(token=text, expires_at=expires.timestamp(), user=body["user"]["name"],
                   project_id=body["project"]["id"], project=body["project"]["name"],
                   admin=any(r["name"] == "admin" for r in body["roles"]), id=body["audit_ids"][-1], csrf=csrf)


def switched(req, old: Session, project_id: str) -> Session:
    """The session for another project; the token of before ends, and with it every copy of its cookie."""
    made = scoped(req, old.token, project_id, old.csrf)
    _revoke(req, old.token, path("/v3/auth/tokens"), made.context())
    return made


def _token(req, auth: dict) -> tuple[str, dict]:
    response = req.svc.rest.anonymous("POST", "identity", path("/v3/auth/tokens"), body={"auth": auth})
    return response.headers["X-Subject-Token"], json.loads(response.data)["token"]


def log_out(req, session: Session) -> bool:
    """End the session everywhere: every token of its login is revoked. Whether identity could be told; here it ended anyhow."""
    req.svc.ended.add(session)
    try:
        _revoke(req, session.token, path("/v3/auth/tokens", query={"chain": "true"}), session.context())
    except errors.ServiceUnavailable as error:
        LOG.error("a logout could not be told to identity, its tokens live until they expire: %s", error.internal or error)
        return False
    return True


def _revoke(req, token: str, where, ctx: Context) -> None:
    try:
        req.svc.rest.request("DELETE", "identity", where, ctx=ctx, headers={"X-Subject-Token": token})
    except (errors.Unauthorized, errors.NotFound):
        pass  # it is no more
