"""Login, logout, and the choice of a project."""

import re

from common import errors
from dashboard import languages, session, websso
from dashboard.pages import redirect, render
from dashboard.texts import Text
from dashboard.throttle import slow_down

_YEAR_S = 365 * 86400
_WRONG = "The user name or password is incorrect, or the one-time code is missing or wrong."
_OWN_PATH = re.compile(r"/(project|admin|identity)(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*/?")


def begin(req, made: session.Session, path: str):
    response = redirect(req, path)
    session.keep(req, response, made)
    return response


def home(req):
    return redirect(req, "/project/") if session.current(req) else _page(req)


def show(req):
    """The form. A cookie whose token has ended is deleted here, where the browser has just sent its newest."""
    active = session.current(req)
    ended = active is not None and not session.is_alive(req.svc.rest, active)
    if ended:
        session.forget(req)
    response = _page(req, later=req.GET.get("next", ""))
    if ended:
        response.delete_cookie(session.COOKIE)
    return response


def _page(req, *, text: str = "", later: str = "", status: int = 200, user: str = "", domain: str = "Default"):
    return render(req, "login.html", text=text, later=later, status=status, user=user, domain=domain,
                  region=req.svc.conf.region, others=websso.offered(req))


def own_path(text: str) -> str:
    """The path to redirect to after the login: always a path of the dashboard."""
    return text if _OWN_PATH.fullmatch(text) else "/project/"


def _slow_down(req, fields: dict, wait_s: int, **shown):
    text = Text("Too many failed logins from your address. Try again in {seconds} seconds.", seconds=wait_s)
    return slow_down(_page(req, text=text, later=fields.get("next", ""), status=429, **shown), wait_s)


def choose_language(req):
    """Keep the chosen language in the browser, and show the same page in it."""
    fields = session.form(req)
    response = redirect(req, own_path(fields.get("next", "")) if session.current(req) else "/auth/login/")
    if fields.get("language") in languages.NAMES:
        session.set_cookie(req, response, languages.COOKIE, fields["language"], _YEAR_S)
    return response


def log_in(req):
    fields = session.form(req)
    user, domain = fields.get("username", ""), fields.get("domain") or "Default"
    counted = {"account": (req.remote_addr, domain, user), "source": req.remote_addr}
    wait_s = req.svc.throttle.begin(counted)
    if wait_s:
        return _slow_down(req, fields, wait_s, user=user, domain=domain)
    try:
        made = session.log_in(req, user, fields.get("password", ""), domain, fields.get("passcode", ""))
    except (errors.Unauthorized, errors.BadRequest) as error:
        text = str(error) if isinstance(error, session.NoProject) else _WRONG
        return _page(req, text=text, later=fields.get("next", ""), user=user, domain=domain, status=401)
    req.svc.throttle.forgive(counted)
    before = session.current(req)
    if before:
        session.log_out(req, before)
    return begin(req, made, own_path(fields.get("next", "")))


def log_out(req):
    session.form(req)
    active = session.current(req)
    revoked = session.log_out(req, active) if active else True
    text = "You have logged out." if revoked else (
        "You have logged out of the dashboard. The identity service did not respond, so the session's tokens are valid until "
        "they expire.")
    response = redirect(req, "/auth/login/", text)
    response.delete_cookie(session.COOKIE)
    session.set_cookie(req, response, session.CSRF, session.new_word())
    return response


def switch_region(req):
    fields, active = session.form(req), session.required(req)
    return begin(req, session.moved(active, fields.get("region", "")), "/project/")


def switch(req):
    fields, active = session.form(req), session.required(req)
    return begin(req, session.switched(req, active, fields.get("project_id", "")), "/project/")
