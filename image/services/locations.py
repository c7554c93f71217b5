"""The location resource: set the URL of a new image's data, and list locations, for services."""

from common import errors
from common.calls import Call
from image import access, locations, quota, web
from image.db import images
from image.services.images import require_formats


def index(call: Call, id: str) -> list[dict]:
    with call.svc.db.reader() as connection:
        return locations.entries(access.image(call, connection, id, "fetch_image_location"))


def add(call: Call, id: str, url: str, known: dict) -> None:
    """Have a task download a URL.

    :param known: {"os_hash_algo", "os_hash_value"} that its data must have, or nothing
    """
    if known:
        locations.check_facts(known)
    limits = call.svc.quota.limits_of(id)
    with call.svc.db.reader() as connection:
        owner = access.image(call, connection, id, "add_image_location")["owner"]
    web.target(url, call.svc.conf.image)
    with call.svc.db.writer() as connection:
        row = images.get(connection, id)
        if row["status"] != "queued":
            raise errors.Conflict(f"Locations can be added to queued images only, not in status {row['status']}.")
        require_formats(row)
        call.svc.quota.check(connection, owner, limits, quota.SIZE)
        images.move(connection, id, "import", locations=[{"url": url, "metadata": {}}])
        task = call.svc.imports.begin(connection, call.ctx, row, {"name": "location_import"}, stores=[], kind="location_import",
                                     given={"loc_url": url, "validation_data": known})
    call.svc.imports.start(task, row)
