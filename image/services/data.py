"""Image data: uploads and downloads."""

import contextlib
import typing

from common import errors, inspector
from common.calls import Call
from image import access, locations, quota
from image.db import images
from image.services.images import require_formats


class Upload(typing.NamedTuple):
    """Incoming data: a file to read it from, and its length if known."""

    source: typing.Any
    length: int | None


def upload(call: Call, id: str, data: Upload, store_name: str | None) -> None:
    """queued → saving → active; after a failure the image is queued again, without data."""
    store = call.svc.stores.choose(store_name)
    limits = call.svc.quota.limits_of(id)
    with call.svc.db.writer() as connection:
        row = access.image(call, connection, id, "upload_image")
        require_formats(row)
        call.svc.quota.check(connection, row["owner"], limits, quota.SIZE, quota.UPLOADING)
        images.move(connection, id, "upload")
    receive(call, row, data, store=store)


def receive(call: Call, row: dict, data: Upload, *, checksum: str | None = None, store=None) -> dict:
    """Store incoming data as that of an image in ``saving``; returns the columns that follow from it.

    :param checksum: the MD5 that the data must have, if known
    :param store: the destination; by default the default store
    """
    id, incoming, store = row["id"], call.svc.incoming, store or call.svc.stores.default
    with contextlib.ExitStack() as undo:
        undo.callback(call.svc.reset, id, "reset", [store.name])
        facts = incoming.add(id, data.source, call.svc.conf.image.max_image_bytes)
        if data.length is not None and facts["size"] != data.length:
            raise errors.BadRequest("The upload ended before all of it had arrived.")
        if checksum and checksum.lower() != facts["checksum"]:
            raise errors.BadRequest(f"The checksum of the data is {facts['checksum']}, not {checksum}.")
        try:
            facts["virtual_size"] = inspector.check(incoming.part(id), row["disk_format"]).virtual_bytes
            with incoming.source(id) as source:
                store.put(id, source)
        except FileNotFoundError as error:
            raise errors.NotFound(f"Image {id} was deleted during the upload.") from error
        call.svc.db.transact(images.move, id, "activate", locations=[locations.in_store(store, id)], **facts)
        undo.pop_all()
    incoming.drop(id)
    call.svc.notifier.notify(call.ctx, "image.upload", {"id": id, "owner": row["owner"], "size": facts["size"]})
    return facts


def open_data(call: Call, id: str) -> tuple[dict, typing.Any]:
    """The image, and its data as an open file; None: it has no data."""
    with call.svc.db.reader() as connection:
        row = access.image(call, connection, id, "download_image")
    if row["status"] == "deactivated" and not call.svc.policy.is_admin(call.ctx):
        raise errors.Forbidden("The requested image has been deactivated. Image data download is forbidden.")
    return row, call.svc.open(row) if row["status"] in ("active", "deactivated") else None
