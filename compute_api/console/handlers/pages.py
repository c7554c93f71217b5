"""The pages and their files. They are static: a page reads the token from its own URL."""

import functools
import pathlib

import webob

from common import errors

_HERE = pathlib.Path(__file__).resolve().parents[1]
_FILES = {str(path.relative_to(folder)): path for folder in (_HERE / "static", _HERE / "vendor")
          for path in folder.rglob("*") if path.suffix in (".js", ".mjs", ".css")}
_KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".html": "text/html"}
# {page: style-src of its Content-Security-Policy}; xterm.js creates style elements.
PAGES = {"vnc_auto.html": "'self'", "serial.html": "'self' 'unsafe-inline'"}
_HOUR_S = 3600


def _answer(path: pathlib.Path, **headers: str) -> webob.Response:
    response = webob.Response(path.read_bytes(), content_type=_KINDS[path.suffix], charset="UTF-8", conditional_response=True,
                              last_modified=path.stat().st_mtime)
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def page(name: str):
    return functools.partial(_page, name=name)


def _page(req, name: str):
    framing = " ".join(["'self'", *req.svc.conf.console.allowed_origins])
    policy = (f"default-src 'none'; script-src 'self'; style-src {PAGES[name]}; img-src 'self' data:; connect-src 'self'; "
              f"frame-ancestors {framing}; base-uri 'none'; form-action 'none'")
    # The URL of the page contains the token, so it must not be sent as Referer.
    return _answer(_HERE / "static" / name, Content_Security_Policy=policy, Referrer_Policy="no-referrer",
                   Cache_Control="no-store")


def show(req, file):
    if file not in _FILES:
        raise errors.NotFound("There is no such file.")
    return _answer(_FILES[file], Cache_Control=f"max-age={_HOUR_S}")
