"""Pages: rendering of templates, error pages, redirects after forms, and security headers."""

import gzip
import logging
import pathlib
import re
import time
import urllib.parse

import jinja2
import webob

from common import errors
from common.middleware import filter_factory as service_filter
from common.middleware import translate
from common.wsgi import Request
from dashboard import asks, assets, filters, languages, menu, session
from dashboard.names import Names
from dashboard.panel import Partly
from dashboard.texts import Text

LOG = logging.getLogger(__name__)
HERE = pathlib.Path(__file__).resolve().parent
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@jinja2.pass_context
def _shown(values, value):
    """A value as pages contain it: a text of ours in their language; control characters, which HTML does not have, replaced."""
    if isinstance(value, Text):
        value = languages.translated(value, values["language"])
    return _CONTROL.sub("\ufffd", value) if isinstance(value, str) and _CONTROL.search(value) else value


_TEMPLATES = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, finalize=_shown,
                                undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_TEMPLATES.filters.update(filters.FILTERS)
_TEMPLATES.globals.update(asset=assets.url)
# Only the dashboard's own files, and nothing inline, so that names chosen by users can never be executed.
_HEADERS = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                       "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin"}
GOOD, BAD = "good", "bad"
_MOST_OF_COOKIE = 3800  # browsers drop cookies of more than 4,096 bytes, with their names and attributes


def kind_of(said: str) -> str:
    """The kind of the notice that something was done."""
    return BAD if isinstance(said, Partly) else GOOD


def is_fragment(req) -> bool:
    """Whether a script of the page asks for the content of a dialog, instead of a page."""
    return req.headers.get("HX-Target") == "dialog-body"


def render(req, template: str, *, status: int = 200, **values) -> webob.Response:
    """Render a page. Besides ``values``, templates have ``session`` (or None), ``path``, ``csrf``, ``notice``, ``menu``,
    ``names`` and ``_``, which translates a text. What is a ``Text`` already is translated where it is shown."""
    active = session.current(req)
    notice = session.notice(req)
    language = languages.of(req)

    def say(text: str, **of) -> str:
        return languages.translated(Text(text, **of), language)
    text = _TEMPLATES.get_template(template).render(
        session=active, path=req.path, csrf=session.masked(session.csrf(req)), notice=notice,
        menu=menu.of(active) if active else (), fragment=is_fragment(req), language=language,
        languages=languages.NAMES, names=Names(req), _=say, **values)
    response = webob.Response(text, status=status, content_type="text/html", charset="UTF-8")
    _compress(req, response)
    session.set_cookie(req, response, session.CSRF, session.csrf(req))
    if notice:
        response.delete_cookie(session.NOTICE)
    return response


def _compress(req, response: webob.Response) -> None:
    """Compress a page, which is safe because its only secret is masked (``session.masked``)."""
    response.vary = ["Accept-Encoding", "Accept-Language"]
    if "gzip" in req.headers.get("Accept-Encoding", ""):
        response.body = gzip.compress(response.body, 5, mtime=0)
        response.content_encoding = "gzip"


def redirect(req, path: str, notice: str = "", kind: str = GOOD) -> webob.Response:
    """Respond with See Other, so that reloading the next page does not send the form again; it shows ``notice``.

    A script that sent the form is told to open that page.
    """
    if req.headers.get("HX-Request"):
        response = webob.Response(status=204)
        response.headers["HX-Redirect"] = path
    else:
        response = webob.Response(status=303, location=path)
    if notice:
        said = languages.translated(notice, languages.of(req))
        session.set_cookie(req, response, session.NOTICE, _sealed(req, said[:1000], kind), session.NOTICE_S)
    return response


def _sealed(req, text: str, kind: str) -> str:
    """A notice as the value of a cookie, cut to what browsers keep."""
    while len(value := req.svc.seal.close([kind, text], session.NOTICE)) > _MOST_OF_COOKIE:
        text = text[:len(text) * 3 // 4]
    return value


def _is_text(raw: str) -> bool:
    """Whether a string of WSGI (bytes as latin-1) is UTF-8 and has a single line."""
    try:
        return raw.encode("latin-1").decode().isprintable()
    except UnicodeError:
        return False


class Pages:
    """Convert errors to pages, and redirect requests without a session to the login."""

    def __init__(self, app, service):
        self.app, self.service = app, service

    def __call__(self, environ, start_response):
        req, began = Request(environ), time.monotonic()
        environ["pileus.service"] = self.service

        def start(status, headers, exc_info=None):
            names = {n.lower() for n, _ in headers}
            headers = headers + [h for h in _HEADERS.items() if h[0].lower() not in names]
            return start_response(status, headers + [("Server-Timing", asks.timing(req, time.monotonic() - began))], exc_info)
        if not _is_text(environ.get("HTTP_COOKIE", "")):
            del environ["HTTP_COOKIE"]  # a cookie of another program on this host; the dashboard's are text
        try:
            return self.app(environ, start)
        except Exception as caught:  # the outermost boundary of a request
            error = translate(caught)
            if error.status >= 500:
                LOG.error("%s %s failed: %s", req.method, req.path, error.internal or error,
                          exc_info=error is not caught and error.status == 500)
        return self._page(req, error)(environ, start)

    def _page(self, req, error: errors.Error) -> webob.Response:
        if error.status == 401:
            # A form is sent to the path of its own page.
            later = f"?next={urllib.parse.quote(req.path)}" if req.path != "/" else ""
            # The cookie stays: the browser may have got a new one since it sent this request, from another tab.
            return redirect(req, f"/auth/login/{later}")
        return render(req, "error.html", status=error.status, text=error.public, code=error.status,
                      request_id=req.ctx.request_id, around=menu.around(req.path),
                      again=req.method == "GET" and error.status >= 500)


filter_factory = service_filter(Pages)
