"""Pages: rendering of templates, error pages, redirects after forms, and security headers."""

import logging
import pathlib
import urllib.parse

import jinja2
import webob

from common import errors
from common.middleware import filter_factory as service_filter
from common.middleware import translate
from common.rest import Path
from common.wsgi import Request
from dashboard import session

LOG = logging.getLogger(__name__)
HERE = pathlib.Path(__file__).resolve().parent
_TEMPLATES = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True,
                                undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_STATIC = {p.name: p.read_bytes() for p in (HERE / "static").iterdir()}
_KINDS = {".css": "text/css", ".svg": "image/svg+xml"}
# Only the dashboard's own files and no scripts, so that names chosen by users can never be executed.
_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
                                       "frame-ancestors 'none'; base-uri 'none'",
            "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"}
MENU = (("/project/", "Overview"), ("/project/instances/", "Instances"), ("/project/volumes/", "Volumes"),
        ("/project/images/", "Images"), ("/project/networks/", "Networks"), ("/project/key_pairs/", "Key Pairs"))
ADMIN_MENU = (("/admin/hosts/", "Hosts"),)


def render(req, template: str, *, status: int = 200, **values) -> webob.Response:
    """Render a page. Besides ``values``, templates have ``session`` (or None), ``path``, ``csrf`` and ``notice``."""
    active = session.current(req)
    notice = session.notice(req)
    text = _TEMPLATES.get_template(template).render(
        session=active, path=req.path, csrf=session.csrf(req), notice=notice, menu=MENU,
        admin_menu=ADMIN_MENU if active and active.admin else (), **values)
    response = webob.Response(text, status=status, content_type="text/html", charset="UTF-8")
    session.set_cookie(req, response, session.CSRF, session.csrf(req))
    if notice:
        response.delete_cookie(session.NOTICE)
    return response


def redirect(req, path: str, notice: str = "") -> webob.Response:
    """Respond with See Other, so that reloading the next page does not send the form again; it shows ``notice``."""
    response = webob.Response(status=303, location=path)
    if notice:
        session.set_cookie(req, response, session.NOTICE, req.svc.seal.close(notice, session.NOTICE), session.NOTICE_S)
    return response


def call(req, method: str, service: str, where: Path, body=None):
    """Call an API as the user who is logged in.

    :param where: path made by ``common.rest.path``
    """
    versions = {"compute": "compute 2.53", "volume": "volume 3.44"}
    headers = {"OpenStack-API-Version": versions[service]} if service in versions else None
    return req.svc.rest.request(method, service, where, body=body, ctx=session.required(req).context(), headers=headers)


def static(req, name: str) -> webob.Response:
    if name not in _STATIC:
        raise errors.NotFound("There is no such file.")
    return webob.Response(_STATIC[name], headerlist=[("Content-Type", _KINDS[pathlib.Path(name).suffix])])


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
        req = Request(environ)
        environ["pileus.service"] = self.service

        def start(status, headers, exc_info=None):
            names = {n.lower() for n, _ in headers}
            return start_response(status, headers + [h for h in _HEADERS.items() if h[0].lower() not in names], exc_info)
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
            later = f"?next={urllib.parse.quote(req.path)}" if req.method == "GET" and req.path != "/" else ""
            response = redirect(req, f"/auth/login/{later}")
            response.delete_cookie(session.COOKIE)
            return response
        return render(req, "error.html", status=error.status, text=error.public, request_id=req.ctx.request_id)


filter_factory = service_filter(Pages)
