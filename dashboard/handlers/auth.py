"""Logging in and out, and the choice of a project."""

from common import errors
from dashboard import session
from dashboard.pages import redirect, render


def _begin(req, made: session.Session, path: str):
    response = redirect(req, path)
    session.set_cookie(req, response, session.COOKIE, req.svc.seal.close(made.__dict__), req.svc.seal.session_s)
    return response


def home(req):
    return redirect(req, "/project/") if session.current(req) else _page(req)


def show(req):
    return _page(req, later=req.GET.get("next", ""))


def _page(req, *, text: str = "", later: str = "", status: int = 200, user: str = "", domain: str = "Default"):
    return render(req, "login.html", text=text, later=later, status=status, user=user, domain=domain,
                  region=req.svc.conf.region)


def _path(text: str) -> str:
    """Where to go after the login: a path of ours, whatever was asked for."""
    return text if text.startswith("/project/") or text.startswith("/admin/") else "/project/"


def log_in(req):
    fields = session.form(req)
    user, domain = fields.get("username", ""), fields.get("domain") or "Default"
    try:
        made = session.log_in(req, user, fields.get("password", ""), domain)
    except (errors.Unauthorized, errors.BadRequest) as error:
        text = str(error) if "project" in str(error) else "The user name or the password is not right."
        return _page(req, text=text, later=fields.get("next", ""), user=user, domain=domain, status=401)
    return _begin(req, made, _path(fields.get("next", "")))


def log_out(req):
    session.form(req)
    active = session.current(req)
    if active:
        session.log_out(req, active)
    response = redirect(req, "/auth/login/", "You have logged out.")
    response.delete_cookie(session.COOKIE)
    return response


def switch(req):
    fields, active = session.form(req), session.required(req)
    return _begin(req, session.scoped(req, active.token, fields.get("project_id", "")), "/project/")
