"""What users and operators set on pages with a single form: the user's password, and the default quotas."""

from common import errors
from common.rest import path
from dashboard import forms, session
from dashboard.asks import do, get, send, together
from dashboard.forms import Field, Fields
from dashboard.pages import redirect, render
from dashboard.panels.quotas import COMPUTE, NETWORK, VOLUME, kind_of
from dashboard.texts import Text
from dashboard.throttle import TooMany, slow_down

_PASSWORD = (Field("old_password", "Current password", "password", True), Field("password", "New password", "password", True),
             Field("password_again", "Repeat the new password", "password", True))


def _form(req, title: str, fields, submit: str, *, given: Fields | None = None, error: errors.Error | None = None, **more):
    return render(req, "form.html", status=error.status if error else 200, title=title, fields=fields, submit=submit, given=given,
                  text=error.public if error else "", wrong=getattr(error, "at", {}), request_id=req.ctx.request_id,
                  **{"help": "", "rows": (), **more})


def _password_page(req, given: Fields | None = None, error: errors.Error | None = None):
    return _form(req, Text("Change password"), _PASSWORD, Text("Change password"), given=given, error=error,
                 help=Text("All your sessions end, and you log in again with the new password."))


def ask_password(req):
    session.required(req)
    return _password_page(req)


def change_password(req):
    given, active = session.form(req), session.required(req)
    counted = {"account": (req.remote_addr, active.domain, active.user), "source": req.remote_addr}
    wait_s = req.svc.throttle.begin(counted)
    if wait_s:
        text = Text("Too many wrong passwords. Try again in {seconds} seconds.", seconds=wait_s)
        return slow_down(_password_page(req, given, TooMany(text)), wait_s)
    try:
        values = forms.read(_PASSWORD, given)
        if values["password"] != values["password_again"]:
            raise forms.Refused({"password_again": "The passwords differ."})
        do(req, "POST", "identity", path("/v3/users/{name}/password", active.user_id), {"user": {
            "original_password": values["old_password"], "password": values["password"]}})
    except errors.Unauthorized as error:
        if not session.is_alive(req.svc.rest, active):
            raise
        return _password_page(req, given, forms.Refused({"old_password": str(error) or "This is not your password."}))
    except errors.Error as error:
        if error.status < 500:
            req.svc.throttle.forgive(counted)  # it is the new password that was refused, or nothing was tried
        return _password_page(req, given, error)
    req.svc.throttle.forgive(counted)
    response = redirect(req, "/auth/login/", "The password was changed. Log in with the new one.")
    response.delete_cookie(session.COOKIE)
    return response


def _operator(req) -> str:
    """:raises Forbidden: the user is no administrator"""
    active = session.required(req)
    if not active.admin:
        raise errors.Forbidden("Only administrators may open this page.")
    return active.project_id


def _defaults_page(req, own: str, given: Fields | None = None, error: errors.Error | None = None):
    found = together(req, compute=_class(), volume=get("volume", path("/v3/os-quota-sets/{name}/defaults", own), "quota_set",
                                                       instead={}),
                     network=get("network", path("/v2.0/quotas/{name}/default", own), "quota", instead={}))
    rows = [(service, text, found[kind][name]) for service, kind, texts in (
        (Text("Volume"), "volume", VOLUME), (Text("Network"), "network", NETWORK))
        for name, text in texts.items() if name in found[kind]]
    return _form(req, Text("Default quotas"), _quota_fields(found["compute"]), Text("Save"), given=given, error=error, rows=rows,
                 help=Text("The compute service's quotas of projects that have none of their own. -1 is unlimited."))


def _class():
    return get("compute", path("/v2.1/os-quota-class-sets/{name}", "default"), "quota_class_set")


def _quota_fields(found: dict) -> list[Field]:
    return [Field(name, text, kind_of(name), True, initial=found[name], low=-1)
            for name, text in COMPUTE.items() if name in found]


def ask_defaults(req):
    return _defaults_page(req, _operator(req))


def set_defaults(req):
    given, own = session.form(req), _operator(req)
    present = send(req, _class())
    try:
        values = forms.read(_quota_fields(present), given)
        changed = {name: value for name, value in values.items() if present[name] != value}
        if changed:
            do(req, "PUT", "compute", path("/v2.1/os-quota-class-sets/{name}", "default"), {"quota_class_set": changed})
    except forms.MENDABLE as error:
        return _defaults_page(req, own, given, error)
    said = Text("The default quotas were changed.") if changed else Text("Nothing was changed.")
    return redirect(req, "/admin/defaults/", said)
