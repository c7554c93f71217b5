"""Sessions: an encrypted cookie with the user's token, and how they end.

A cookie has Fernet's format (AES-128-CBC and HMAC-SHA256, with the time): a browser can neither read nor change it.
Each kind of cookie has its own key, so that they cannot be confused.

All tokens of one login are one chain in identity; the chain's id is the session's. Switching to another project gets
another token of the chain and revokes the previous one. Logging out revokes the whole chain, so that copies of the
session's cookies are useless.

Forms contain a secret that other sites cannot know (CSRF protection): before the login it is in the cookie
``csrftoken``, after it in the session, created at the login. Cookies are SameSite=Lax.
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
import typing
import urllib.parse

from cryptography.fernet import Fernet, InvalidToken

from common import errors, values
from common.context import Context
from common.context import active as active_context
from common.rest import path
from dashboard import regions
from dashboard.forms import Fields
from dashboard.texts import Text

LOG = logging.getLogger(__name__)
COOKIE, CSRF, NOTICE, WEBSSO = "sessionid", "csrftoken", "messages", "websso"
NOTICE_S, WEBSSO_S = 60, 300
SOON_S = 600  # before its end, a session says so
_MOST_REGIONS = 20
MAX_FORM_BYTES, MAX_FIELDS = 65536, 150
_FORGOTTEN, _POSTED = "dashboard.forgotten", "dashboard.posted"
_WORD = re.compile(r"[A-Za-z0-9_-]{32,64}")


class NoProject(errors.Unauthorized):
    message = "You are not a member of any project. Ask the operator of this cloud to add you to one."


@dataclasses.dataclass(frozen=True)
class Session:
    """The user who is logged in, and the project. ``expires_at``: of the token, seconds since 1970."""

    token: str
    expires_at: float
    user: str
    user_id: str
    domain: str  # the user's, by name
    project_id: str
    project: str
    admin: bool
    region: str
    regions: list[str]  # among which one can choose
    id: str  # of the chain of tokens that begins with the login
    csrf: str

    @property
    def ends(self) -> datetime.datetime:
        """In UTC."""
        return datetime.datetime.fromtimestamp(self.expires_at, datetime.timezone.utc)

    @property
    def ends_soon(self) -> bool:
        return self.expires_at - time.time() < SOON_S

    def context(self) -> Context:
        """The user's context, with the request id of the page, so that ``pileus trace`` finds its calls."""
        page = active_context()
        return Context(token=self.token, project_id=self.project_id, global_request_id=page.trace_id if page else None)


class Seal:
    """:param secret: 64 hexadecimal digits; an invalid one raises ValueError at the start. Empty: sessions end with
        the process.
    """

    def __init__(self, secret: str, session_s: int):
        raw = bytes.fromhex(secret or secrets.token_hex(32))
        self.session_s = session_s
        self.keys = {kind: Fernet(base64.urlsafe_b64encode(hmac.digest(raw, f"pileus dashboard {kind}".encode(), "sha256")))
                     for kind in (COOKIE, NOTICE, WEBSSO)}

    def close(self, value, kind: str = COOKIE) -> str:
        return self.keys[kind].encrypt(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")).decode()

    def open(self, text: str, ttl_s: int, kind: str = COOKIE):
        """The content of a cookie of that kind, or None if it has expired or is not authentic."""
        try:
            return json.loads(self.keys[kind].decrypt(text.encode("utf-8", "replace"), ttl=ttl_s))
        except (InvalidToken, ValueError):
            return None


class Ended:
    """Sessions that ended. They are refused at once, before other services have received the revocation.

    :param tell: (id of a session, when its tokens expire): tells all processes of the dashboard, this one too
    """

    def __init__(self, tell: typing.Callable[[str, float], None] = lambda id, until: None):
        self._until: dict[str, float] = {}
        self._tell = tell

    def add(self, session: Session) -> None:
        self.note(session.id, session.expires_at)
        self._tell(session.id, session.expires_at)

    def note(self, id: str, until: float) -> None:
        now = time.time()
        self._until = {known: end for known, end in self._until.items() if end > now} | {id: until}

    def __contains__(self, id: str) -> bool:
        return id in self._until


def current(req) -> Session | None:
    """The session of a request, or None."""
    if _FORGOTTEN in req.environ:
        return None
    found = req.svc.seal.open(req.cookies.get(COOKIE, ""), req.svc.seal.session_s)
    if not isinstance(found, dict) or set(found) != {f.name for f in dataclasses.fields(Session)}:
        return None
    session = Session(**found)
    return session if session.expires_at > time.time() and session.id not in req.svc.ended else None


def forget(req) -> None:
    """Treat a request as one without a session."""
    req.environ[_FORGOTTEN] = True


def is_alive(rest, session: Session) -> bool:
    """Whether identity still takes a session's token, as far as it says.

    :param rest: the client of the APIs
    """
    try:
        rest.request("GET", "identity", path("/v3/auth/projects"), ctx=Context(token=session.token))
    except errors.Unauthorized:
        return False
    except errors.Error:
        pass
    return True


def required(req) -> Session:
    """:raises Unauthorized: nobody is logged in; the pages' filter then redirects to the login"""
    session = current(req)
    if session is None:
        raise errors.Unauthorized()
    return session


def notice(req) -> tuple[str, str] | None:
    """(kind, text) of the notice that the previous page left, if any."""
    found = req.svc.seal.open(req.cookies.get(NOTICE, ""), NOTICE_S, NOTICE)
    if isinstance(found, list) and len(found) == 2 and all(isinstance(part, str) for part in found):
        return found[0], found[1]
    return None


def keep(req, response, session: Session) -> None:
    """Let the browser keep a session."""
    set_cookie(req, response, COOKIE, req.svc.seal.close(dataclasses.asdict(session)), req.svc.seal.session_s)
    set_cookie(req, response, CSRF, session.csrf)


def set_cookie(req, response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(name, value, max_age=max_age, httponly=True, samesite="Lax", secure=req.scheme == "https")


def new_word() -> str:
    return secrets.token_urlsafe(24)


def csrf(req) -> str:
    """The CSRF token that this browser's forms must contain: the session's, or before the login the browser's own."""
    active = current(req)
    if active:
        return active.csrf
    own = req.cookies.get(CSRF, "")
    return req.environ.setdefault("dashboard.csrf", own if _WORD.fullmatch(own) else new_word())


def masked(word: str) -> str:
    """A CSRF token as a page contains it: other bytes in each page, so that the lengths of compressed pages do not reveal it."""
    mask = secrets.token_bytes(len(word))
    return base64.urlsafe_b64encode(mask + bytes(a ^ b for a, b in zip(mask, word.encode()))).decode()


def unmasked(text: str) -> str:
    """What ``masked`` was given; other texts are returned as they are."""
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
        found = bytes(a ^ b for a, b in zip(raw[:len(raw) // 2], raw[len(raw) // 2:])).decode()
    except ValueError:
        return text
    return found if _WORD.fullmatch(found) else text


def form(req, max_bytes: int = MAX_FORM_BYTES) -> Fields:
    """The fields of a posted form.

    :raises Forbidden: it was not posted from a page of the dashboard
    :raises BadRequest: not a form
    :raises TooLarge: larger than any form of the dashboard
    """
    fields = _fields(req, max_bytes)
    check_form(req, fields)
    req.environ[_POSTED] = fields
    return fields


def asked(req, name: str) -> str:
    """What a posted form has as a field, or else what the link to its page says."""
    posted = req.environ.get(_POSTED)
    return posted.get(name, "") if posted is not None else req.GET.get(name, "")


def check_form(req, fields: Fields) -> None:
    """Check that a form was posted from a page of the dashboard. :raises Forbidden: it was not"""
    given, active = unmasked(fields.get("csrfmiddlewaretoken", "")), current(req)
    known = active.csrf if active else req.cookies.get(CSRF, "")
    if not known or not values.same_secret(known, given):
        raise errors.Forbidden("This form is too old, or did not come from this dashboard. Go back, reload the page, and try "
                               "again.")
    origin = req.headers.get("Origin")
    if origin not in (None, "null") and _host(origin) != req.host:
        raise errors.Forbidden("This form did not come from this dashboard.")


def _host(origin: str) -> str | None:
    try:
        return urllib.parse.urlsplit(origin).netloc
    except ValueError:
        return None


def unchecked_form(req) -> Fields:
    """The fields of a form that another site posts, as the identity service does after a federated login.

    :raises BadRequest, TooLarge: as ``form``
    """
    return _fields(req, MAX_FORM_BYTES)


def _fields(req, max_bytes: int) -> Fields:
    if req.content_type != "application/x-www-form-urlencoded":
        raise errors.BadRequest("This is not a form of the dashboard.")
    length = req.content_length
    if length is None or length > max_bytes:
        raise errors.TooLarge(Text("A form may have {most} bytes.", most=max_bytes))
    try:
        text = req.environ["wsgi.input"].read(length).decode()
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
        return Fields((name, value if "password" in name else value.strip()) for name, value in pairs)
    except ValueError:
        raise errors.BadRequest("The form cannot be read.") from None


def _proof(user: dict, password: str, passcode: str) -> dict:
    """:param passcode: of a user who needs one besides the password; "": none"""
    proof: dict = {"methods": ["password"], "password": {"user": {**user, "password": password}}}
    if passcode:
        proof["methods"].append("totp")
        proof["totp"] = {"user": {**user, "passcode": passcode}}
    return proof


def log_in(req, user: str, password: str, domain: str, passcode: str = "") -> Session:
    """A session for the user's first project.

    :raises Unauthorized: with identity's message
    :raises NoProject: the password is correct, but the user has no project
    """
    proof = _proof({"name": user, "domain": {"name": domain}}, password, passcode)
    return begun(req, _token(req, {"identity": proof, "scope": "unscoped"})[0])


def begun(req, token: str) -> Session:
    """A session for the first project of an unscoped token's user. :raises Unauthorized, NoProject: as ``log_in``"""
    projects = projects_of(req, token)
    if not projects:
        raise NoProject()
    return scoped(req, token, projects[0]["id"], new_word())


def prolonged(req, old: Session, password: str, passcode: str = "") -> Session:
    """A new session that takes the place of one, for the same project; forms that are open stay valid.

    :raises Unauthorized: with identity's message
    """
    proof = _proof({"id": old.user_id}, password, passcode)
    scope = {"project": {"id": old.project_id}}
    made = _there(_session(req, *_token(req, {"identity": proof, "scope": scope}), old.csrf), old.region)
    log_out(req, old)
    return made


def projects_of(req, token: str) -> list[dict]:
    found = req.svc.rest.request("GET", "identity", path("/v3/auth/projects"), ctx=Context(token=token))["projects"]
    return sorted((p for p in found if p["enabled"]), key=lambda p: p["name"])


def federated_user(req, token: str) -> tuple[str, str]:
    """(name, domain) of the user of a token of a federated login.

    :raises Unauthorized: it has ended, or is of another login: whoever has an account could post such a token for others
    """
    try:
        found = req.svc.rest.request("GET", "identity", path("/v3/auth/tokens", query={"nocatalog": "1"}),
                                     ctx=Context(token=token), headers={"X-Subject-Token": token})
    except errors.NotFound:
        raise errors.Unauthorized() from None
    user = found["token"]["user"]
    if "OS-FEDERATION" not in user:
        raise errors.Unauthorized()
    return user["name"], user["domain"]["name"]


def scoped(req, token: str, project_id: str, csrf: str) -> Session:
    """A session for a project, from a token of the same user. :raises Unauthorized: it has expired, or the user has
    no role there"""
    try:
        return _session(req, *_token(req, {"identity": {"methods": ["token"], "token": {"id": token}},
                                           "scope": {"project": {"id": project_id}}}), csrf)
    except errors.NotFound:  # the token, as described by identity
        raise errors.Unauthorized() from None


def _session(req, text: str, body: dict, csrf: str) -> Session:
    """The session of a token, which ends with it, or earlier if sessions do."""
    expires = datetime.datetime.fromisoformat(body["expires_at"].replace("Z", "+00:00"))
    own, known = req.svc.conf.region, regions.names(body.get("catalog", []))
    ends = min(expires.timestamp(), time.time() + req.svc.seal.session_s)
    return Session(token=text, expires_at=ends, user=body["user"]["name"], user_id=body["user"]["id"],
                   domain=body["user"]["domain"]["name"], project_id=body["project"]["id"], project=body["project"]["name"],
                   region=own, regions=sorted({own, *known[:_MOST_REGIONS]}),
                   admin=any(r["name"] == "admin" for r in body["roles"]), id=body["audit_ids"][-1], csrf=csrf)


def _there(made: Session, region: str) -> Session:
    """The session in a region, if its project has it."""
    return dataclasses.replace(made, region=region) if region in made.regions else made


def moved(old: Session, region: str) -> Session:
    """The session in another region. :raises NotFound: there is no such region"""
    if region not in old.regions:
        raise errors.NotFound("There is no such region.")
    return dataclasses.replace(old, region=region)


def switched(req, old: Session, project_id: str) -> Session:
    """The session for another project. The previous token is revoked, and with it every copy of its cookie."""
    made = _there(scoped(req, old.token, project_id, old.csrf), old.region)
    _revoke(req, old.token, path("/v3/auth/tokens"), made.context())
    return made


def _token(req, auth: dict) -> tuple[str, dict]:
    response = req.svc.rest.anonymous("POST", "identity", path("/v3/auth/tokens"), body={"auth": auth})
    return response.headers["X-Subject-Token"], json.loads(response.data)["token"]


def log_out(req, session: Session) -> bool:
    """End the session: every token of its login is revoked. Returns False if identity could not be reached; in the
    dashboard the session has ended anyway."""
    req.svc.ended.note(session.id, session.expires_at)
    try:
        _revoke(req, session.token, path("/v3/auth/tokens", query={"chain": "true"}), session.context())
    except errors.ServiceUnavailable as error:
        LOG.error("the tokens of a logout could not be revoked, and are valid until they expire: %s", error.internal or error)
        return False
    finally:
        req.svc.ended.add(session)  # last: a bus that is away takes its time
    return True


def log_out_everywhere(req, session: Session) -> None:
    """Revoke every token of the user, of programs too. :raises errors.Error: they are still valid"""
    req.svc.rest.request("DELETE", "identity", path("/v3/users/{name}/tokens", session.user_id), ctx=session.context())
    req.svc.ended.add(session)


def _revoke(req, token: str, where, ctx: Context) -> None:
    try:
        req.svc.rest.request("DELETE", "identity", where, ctx=ctx, headers={"X-Subject-Token": token})
    except (errors.Unauthorized, errors.NotFound):
        pass  # it is invalid already
