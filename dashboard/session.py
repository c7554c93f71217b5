"""Sessions: a sealed cookie with the user's token. Nothing about them is kept on the server.

The cookie is Fernet's format (AES-128-CBC and HMAC-SHA256, with the time): a
browser can neither read nor change it. Forms carry a word that another site
cannot know (the cookie ``csrftoken``, sent twice), and cookies are SameSite=Lax.
"""

import base64
import dataclasses
import datetime
import hmac
import json
import secrets
import time
import urllib.parse

from cryptography.fernet import Fernet, InvalidToken

from common import errors
from common.context import Context
from common.rest import path

COOKIE, CSRF, NOTICE = "sessionid", "csrftoken", "messages"
NOTICE_S = 60


@dataclasses.dataclass(frozen=True)
class Session:
    """Who is logged in, and for which project. ``expires_at``: seconds since 1970, the token's."""

    token: str
    expires_at: float
    user: str
    project_id: str
    project: str
    admin: bool

    def context(self) -> Context:
        return Context(token=self.token, project_id=self.project_id)


class Seal:
    """:param secret: 64 hexadecimal digits; a wrong one raises ValueError at start. Empty: sessions end with the process."""

    def __init__(self, secret: str, session_s: int):
        raw = bytes.fromhex(secret or secrets.token_hex(32))
        self.fernet, self.session_s = Fernet(base64.urlsafe_b64encode(raw)), session_s

    def close(self, value) -> str:
        return self.fernet.encrypt(json.dumps(value).encode()).decode()

    def open(self, text: str, ttl_s: int):
        """What was sealed, or None where it is too old, or not ours."""
        try:
            return json.loads(self.fernet.decrypt(text.encode(), ttl=ttl_s))
        except (InvalidToken, ValueError):
            return None


def current(req) -> Session | None:
    """The session of a request, or None."""
    found = req.svc.seal.open(req.cookies.get(COOKIE, ""), req.svc.seal.session_s)
    session = Session(**found) if found else None
    return session if session and session.expires_at > time.time() else None


def required(req) -> Session:
    """:raises Unauthorized: nobody is logged in; the pages' filter then shows the way to the login"""
    session = current(req)
    if session is None:
        raise errors.Unauthorized()
    return session


def set_cookie(req, response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(name, value, max_age=max_age, httponly=True, samesite="Lax", secure=req.scheme == "https")


def csrf(req) -> str:
    """The word that this browser's forms must carry; made at its first page."""
    return req.environ.setdefault("dashboard.csrf", req.cookies.get(CSRF) or secrets.token_urlsafe(24))


def form(req) -> dict[str, str]:
    """The fields of a posted form.

    :raises Forbidden: it was not posted from a page of ours
    """
    fields = req.POST
    known = req.cookies.get(CSRF, "")
    if not known or not hmac.compare_digest(known, fields.get("csrfmiddlewaretoken", "")):
        raise errors.Forbidden("This form is too old, or did not come from this dashboard. Go back, reload the page, and try "
                               "again.")
    origin = req.headers.get("Origin")
    if origin not in (None, "null") and urllib.parse.urlsplit(origin).netloc != req.host:
        raise errors.Forbidden("This form did not come from this dashboard.")
    return {k: v.strip() if "password" not in k else v for k, v in fields.items() if isinstance(v, str)}


def log_in(req, user: str, password: str, domain: str) -> Session:
    """A session for the user's first project.

    :raises Unauthorized: with identity's own words
    """
    identity = {"methods": ["password"], "password": {"user": {"name": user, "password": password,
                                                               "domain": {"name": domain}}}}
    unscoped, _ = _token(req, {"identity": identity, "scope": "unscoped"})
    projects = projects_of(req, unscoped)
    if not projects:
        raise errors.Unauthorized("You are not a member of any project. Ask the operator of this cloud for one.")
    return scoped(req, unscoped, projects[0]["id"])


def projects_of(req, token: str) -> list[dict]:
    found = req.svc.rest.request("GET", "identity", path("/v3/auth/projects"), ctx=Context(token=token))["projects"]
    return sorted((p for p in found if p["enabled"]), key=lambda p: p["name"])


def scoped(req, token: str, project_id: str) -> Session:
    """A session for a project, from a token of the same user."""
    text, body = _token(req, {"identity": {"methods": ["token"], "token": {"id": token}},
                              "scope": {"project": {"id": project_id}}})
    expires = datetime.datetime.fromisoformat(body["expires_at"].replace("Z", "+00:00"))
    return Session(token=text, expires_at=expires.timestamp(), user=body["user"]["name"],
                   project_id=body["project"]["id"], project=body["project"]["name"],
                   admin=any(r["name"] == "admin" for r in body["roles"]))


def _token(req, auth: dict) -> tuple[str, dict]:
    response = req.svc.rest.anonymous("POST", "identity", path("/v3/auth/tokens"), body={"auth": auth})
    return response.headers["X-Subject-Token"], json.loads(response.data)["token"]


def log_out(req, session: Session) -> None:
    """Revoke the token: a copied cookie is worth nothing from now on."""
    req.svc.rest.request("DELETE", "identity", path("/v3/auth/tokens"), ctx=session.context(),
                         headers={"X-Subject-Token": session.token})
