"""The session of the user who is logged in: how long it lasts, staying, and logging out everywhere; federated logins."""

import webob

from common import errors
from dashboard import session, websso
from dashboard.handlers.auth import begin, own_path
from dashboard.pages import BAD, redirect, render
from dashboard.texts import Text
from dashboard.throttle import slow_down


def show(req):
    return _page(req)


def _page(req, *, text: str = "", status: int = 200, later: str = ""):
    session.required(req)
    return render(req, "account.html", status=status, text=text, later=own_path(later or req.GET.get("next", "")))


def stay(req):
    """Another session in place of this one, after the password: a token never lasts longer than its login allows."""
    given, active = session.form(req), session.required(req)
    later = given.get("next", "")
    counted = {"account": (req.remote_addr, active.domain, active.user), "source": req.remote_addr}
    wait_s = req.svc.throttle.begin(counted)
    if wait_s:
        text = Text("Too many wrong passwords. Try again in {seconds} seconds.", seconds=wait_s)
        return slow_down(_page(req, text=text, status=429, later=later), wait_s)
    try:
        made = session.prolonged(req, active, given.get("password", ""), given.get("passcode", ""))
    except (errors.Unauthorized, errors.BadRequest):
        return _page(req, text="The password is incorrect, or the one-time code is missing or wrong.", status=403,
                     later=later)
    req.svc.throttle.forgive(counted)
    if "HX-Request" not in req.headers:
        return begin(req, made, own_path(later))
    response = webob.Response(status=204)  # the page with what was typed stays
    session.keep(req, response, made)
    response.headers["HX-Trigger"] = '{"stayed": %d}' % made.expires_at
    return response


def log_out_everywhere(req):
    session.form(req)
    active = session.required(req)
    try:
        session.log_out_everywhere(req, active)
    except errors.Error as error:
        if isinstance(error, errors.Unauthorized):
            raise
        return redirect(req, "/auth/account/", Text("Nothing was ended: {error}", error=error), BAD)
    response = redirect(req, "/auth/login/", "You have logged out everywhere. Programs with your password log in again; end "
                                             "application credentials under Access.")
    response.delete_cookie(session.COOKIE)
    session.set_cookie(req, response, session.CSRF, session.new_word())
    return response


# Federated logins. Identity's page posts the token here from another site, so neither cookies nor a secret of ours come with it:
# whoever is at the browser confirms who will be logged in.


def take(req):
    if not websso.offered(req):
        raise errors.NotFound("There is no such page.")
    token = session.unchecked_form(req).get("token", "")
    response = redirect(req, "/auth/websso/")
    session.set_cookie(req, response, session.WEBSSO, req.svc.seal.close(token[:8192], session.WEBSSO), session.WEBSSO_S)
    return response


def _taken(req) -> tuple[str, str, str]:
    """(token, name and domain of its user). :raises Unauthorized: it has ended, or there is none"""
    token = req.svc.seal.open(req.cookies.get(session.WEBSSO, ""), session.WEBSSO_S, session.WEBSSO)
    if not isinstance(token, str) or not token:
        raise errors.Unauthorized()
    return token, *session.federated_user(req, token)


def confirm(req):
    _, user, domain = _taken(req)
    return render(req, "websso.html", user=user, domain=domain)


def accept(req):
    session.form(req)
    token, *_ = _taken(req)
    before = session.current(req)
    try:
        made = session.begun(req, token)
    except session.NoProject as error:
        raise errors.Forbidden(str(error)) from None
    if before:
        session.log_out(req, before)
    response = begin(req, made, "/project/")
    response.delete_cookie(session.WEBSSO)
    return response
