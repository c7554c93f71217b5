"""The files that pages load: style sheet, scripts, icon. Their URLs contain a digest, so browsers keep them."""

import gzip
import hashlib
import pathlib

import webob

from common import errors

_HERE = pathlib.Path(__file__).resolve().parent
_KINDS = {".css": "text/css", ".svg": "image/svg+xml", ".js": "text/javascript"}
_VENDOR = ("htmx-2.0.11/htmx.min.js", "uplot-1.6.32/uPlot.iife.min.js", "uplot-1.6.32/uPlot.min.css")
_PATHS = (*(_HERE / "static").iterdir(), *(_HERE / "vendor" / name for name in _VENDOR))
_FILES = {path.name: path.read_bytes() for path in _PATHS}
_COMPRESSED = {name: gzip.compress(content, mtime=0) for name, content in _FILES.items()}
_DIGESTS = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in _FILES.items()}
_YEAR_S = 365 * 86400


def url(name: str) -> str:
    return f"/static/{name}?v={_DIGESTS[name]}"


def show(req, name: str):
    if name not in _FILES:
        raise errors.NotFound("There is no such file.")
    response = webob.Response(_FILES[name], headerlist=[("Content-Type", f"{_KINDS[pathlib.Path(name).suffix]}; charset=UTF-8")])
    response.vary = ["Accept-Encoding"]
    if "gzip" in req.headers.get("Accept-Encoding", ""):
        response.body = _COMPRESSED[name]
        response.content_encoding = "gzip"
    if req.GET.get("v") == _DIGESTS[name]:
        response.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable"
    return response
