"""Image data: upload and download as streams."""

import contextlib

from common import errors, inspector, wsgi
from image import access, locations, quota
from image.db import images
from image.handlers.images import require_formats
from image.stores.base import CHUNK


def require_octets(req) -> None:
    if (req.content_type or "").split(";")[0] != "application/octet-stream":
        raise errors.UnsupportedMediaType("Image data must be sent as application/octet-stream.")


def upload(req, id):
    """queued → saving → active; any failure puts the image back to queued and leaves no bytes."""
    require_octets(req)
    store = req.svc.stores.choose(req.headers.get("X-Image-Meta-Store"))
    limits = req.svc.quota.limits_of(id)
    with req.svc.db.writer() as connection:
        row = access.image(req, connection, id, "upload_image")
        require_formats(row)
        req.svc.quota.check(connection, row["owner"], limits, quota.SIZE, quota.UPLOADING)
        images.move(connection, id, "upload")
    receive(req, row, store=store)


def receive(req, row: dict, *, checksum: str | None = None, store=None) -> dict:
    """Make a request's body the data of an image in ``saving``; what is known of it then.

    :param checksum: the MD5 that the data must have, if it is known
    :param store: where it is put; by default where all is
    """
    id, incoming, store = row["id"], req.svc.incoming, store or req.svc.stores.default
    with contextlib.ExitStack() as undo:
        undo.callback(req.svc.reset, id, "reset", [store.name])
        facts = incoming.add(id, req.environ["wsgi.input"], req.svc.conf.image.max_image_bytes)
        if req.content_length is not None and facts["size"] != req.content_length:
            raise errors.BadRequest("The upload ended before all of it had arrived.")
        if checksum and checksum.lower() != facts["checksum"]:
            raise errors.BadRequest(f"The checksum of the data is {facts['checksum']}, not {checksum}.")
        try:
            facts["virtual_size"] = inspector.check(incoming.part(id), row["disk_format"]).virtual_bytes
            with incoming.source(id) as source:
                store.put(id, source)
        except FileNotFoundError as error:
            raise errors.NotFound(f"Image {id} was deleted while its data arrived.") from error
        req.svc.db.transact(images.move, id, "activate", locations=[locations.at(store, id)], **facts)
        undo.pop_all()
    incoming.drop(id)
    req.svc.notifier.tell(req.ctx, "image.upload", {"id": id, "owner": row["owner"], "size": facts["size"]})
    return facts


class _Stream:
    """The rest of a file in chunks, ``length`` bytes of it."""

    def __init__(self, handle, length: int):
        self.handle, self.left = handle, length

    def __iter__(self):
        return self

    def __next__(self):
        chunk = self.handle.read(min(CHUNK, self.left))
        if not chunk:
            self.close()
            if self.left:  # the answer's length was promised: who reads it must see that it broke off
                raise OSError(f"the data ended {self.left} bytes early")
            raise StopIteration
        self.left -= len(chunk)
        return chunk

    def close(self):
        self.handle.close()


def download(req, id):
    with req.svc.db.reader() as connection:
        row = access.image(req, connection, id, "download_image")
    if row["status"] == "deactivated" and not req.svc.policy.is_admin(req.ctx):
        raise errors.Forbidden("The requested image has been deactivated. Image data download is forbidden.")
    if row["status"] not in ("active", "deactivated"):
        return wsgi.empty(204)
    handle = req.svc.open(row)
    start, end, status = 0, row["size"], 200
    if req.range is not None:
        chosen = req.range.range_for_length(row["size"])
        if chosen is None:
            handle.close()
            raise errors.RangeNotSatisfiable(f"The requested range is not within {row['size']} bytes.")
        (start, end), status = chosen, 206
    handle.seek(start)
    response = wsgi.Response(status=status, content_type="application/octet-stream",
                             app_iter=_Stream(handle, end - start))
    response.content_length = end - start
    if status == 206:
        response.content_range = (start, end, row["size"])
    if row["checksum"]:
        response.headers["Content-MD5"] = row["checksum"]
    return response
