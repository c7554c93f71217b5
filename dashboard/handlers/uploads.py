"""Upload of an image. Its content goes on to the image service while it arrives."""

from common import errors
from common.rest import path
from dashboard import forms, session, uploads
from dashboard.asks import client, do, undo
from dashboard.pages import kind_of, redirect, render
from dashboard.panels.images import CREATE, new_image, protect
from dashboard.texts import Text

_FIELDS = tuple(field for field in CREATE if field.name != "url")
_STORED_S = 300  # until the image service has stored what was sent


def ask(req):
    session.required(req)
    return _page(req)


def _page(req, given: forms.Fields | None = None, error: errors.Error | None = None):
    return render(req, "upload.html", status=error.status if error else 200, fields=_FIELDS, given=given,
                  text=error.public if error else "", wrong=getattr(error, "at", {}), request_id=req.ctx.request_id)


def create(req):
    active = session.required(req)
    given, content = uploads.form(req, "file")
    try:
        values = forms.read(_FIELDS, given)
        made = do(req, "POST", "image", path("/v2/images"), new_image(values))
    except errors.Unauthorized:
        raise
    except errors.Error as error:  # also a failure, so that what was typed is not lost
        uploads.drain(content)
        return _page(req, given, error)
    try:
        client(req, "image").request("PUT", "image", path("/v2/images/{id}/file", made["id"]), body=content, ctx=active.context(),
                             headers={"Content-Type": "application/octet-stream"}, timeout_s=_STORED_S)
    except errors.Error as error:
        undo(req, "image", path("/v2/images/{id}", made["id"]))
        if isinstance(error, errors.Unauthorized):
            raise
        uploads.drain(content)
        return _page(req, given, error)
    said = protect(req, made["id"], values, Text("{name} was uploaded.", name=values["name"]))
    return redirect(req, "/project/images/", said, kind_of(said))
