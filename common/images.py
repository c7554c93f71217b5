"""Transfer of images: downloads with checks of checksum and format, and uploads."""

import contextlib
import hashlib
import os
import pathlib

import urllib3

from common import errors, inspector
from common.rest import path
from common.shared_work import SharedWork

CHUNK = 1 << 20
# What an image has besides its properties: it describes the data or the state of this image, and is not for images made from it.
ATTRIBUTES = frozenset((
    "id", "name", "owner", "checksum", "os_hash_algo", "os_hash_value", "size", "virtual_size", "status", "visibility",
    "created_at", "updated_at", "self", "file", "schema", "tags", "protected", "os_hidden", "disk_format", "container_format",
    "min_disk", "min_ram", "stores", "locations", "direct_url"))
STALL_S = 180  # without data from the store


def _usable(rest, image_id: str, project_id: str | None) -> dict:
    """The image as the image service has it now, if servers and volumes of the project may use it.

    Services see all images, projects do not.
    """
    image = rest.request("GET", "image", path("/v2/images/{id}", image_id))
    if project_id is not None and image["owner"] != project_id and image["visibility"] not in ("public", "community"):
        if image["visibility"] != "shared":
            raise errors.NotFound("It belongs to another project.")
        rest.request("GET", "image", path("/v2/images/{id}/members/{name}", image_id, project_id))
    return image


def fetch(rest, image: dict, target: pathlib.Path, project_id: str | None, work: SharedWork) -> dict:
    """Download an image's bytes; ``target`` exists only when all of them came and are what they should be.

    :param rest: the service's REST client
    :param image: {"id", "disk_format", "os_hash_algo", "os_hash_value"} as of when it was asked for; its id alone will do
    :param project_id: for whom; None only where an older version did not note that
    :param work: ends when nobody waits for it any more
    :returns: the image, complete; its "os_hash_value" is that of the bytes
    :raises StepFailed: the image is gone, not for this project, damaged or hostile, or the disk is full
    :raises ServiceUnavailable: the service went away before all had come
    """
    part = target.with_name(target.name + ".part")
    try:
        image = {**_usable(rest, image["id"], project_id), **{k: v for k, v in image.items() if v is not None}}
        work.check()
        algorithm = image.get("os_hash_algo") or "sha512"
        digest = hashlib.new(algorithm)
        response = rest.request("GET", "image", path("/v2/images/{id}/file", image["id"]), stream=True,
                                timeout_s=STALL_S)
        with contextlib.closing(response), open(part, "wb") as out:
            with work.reading(response.shutdown):
                for chunk in response.stream(CHUNK):
                    digest.update(chunk)
                    out.write(chunk)
            response.release_conn()
        if image.get("os_hash_value") and digest.hexdigest() != image["os_hash_value"]:
            raise errors.StepFailed(reason=f"Image {image['id']} arrived damaged: its checksum is wrong.")
        inspector.check(part, image["disk_format"])
        work.check()  # its end may look like a download's
        os.replace(part, target)
        return {**image, "os_hash_algo": algorithm, "os_hash_value": digest.hexdigest()}
    except errors.NotFound as error:
        raise errors.StepFailed(reason=f"Image {image['id']} could not be found.") from error
    except inspector.UnsafeImage as error:
        raise errors.StepFailed(reason=f"Image {image['id']} was refused: {error}") from error
    except urllib3.exceptions.HTTPError as error:  # the service, or its store, was away before all had come
        raise errors.ServiceUnavailable(part="the image service", internal=str(error)) from error
    except OSError as error:
        raise errors.StepFailed(reason="The host has no space for the image.", internal=str(error)) from error
    finally:
        part.unlink(missing_ok=True)


def send(rest, image_id: str, source: pathlib.Path, work: SharedWork) -> None:
    """Upload a file or a block device as the data of an image. Repeatable.

    :param work: ends when nobody waits for it any more; it lets the file go at once, and the connection when that times out
    :raises StepFailed: the image is gone, or its store is full
    """
    try:
        if rest.request("GET", "image", path("/v2/images/{id}", image_id))["status"] == "active":
            return
        with open(source, "rb") as data, work.reading(data.close):
            rest.request("PUT", "image", path("/v2/images/{id}/file", image_id), body=data, timeout_s=600, headers={
                "Content-Type": "application/octet-stream", "Content-Length": str(size_of(source))})
    except (errors.NotFound, errors.TooLarge, errors.Conflict) as error:
        raise errors.StepFailed(reason=f"Image {image_id} could not be filled: {error}") from error


def size_of(source: pathlib.Path) -> int:
    """The bytes of a file or a block device."""
    with open(source, "rb") as data:
        return data.seek(0, os.SEEK_END)


def drop(rest, image_id: str, timeout_s: float = 30) -> None:
    """Delete an image that is not to be, also if its owner has protected it. Repeatable."""
    where = path("/v2/images/{id}", image_id)
    with contextlib.suppress(errors.NotFound):
        try:
            rest.request("DELETE", "image", where, timeout_s=timeout_s)
        except errors.Forbidden:
            rest.request("PATCH", "image", where, body=b'[{"op": "replace", "path": "/protected", "value": false}]', headers={
                "Content-Type": "application/openstack-images-v2.1-json-patch"}, timeout_s=timeout_s)
            rest.request("DELETE", "image", where, timeout_s=timeout_s)


def drop_unfilled(rest, image_id: str, timeout_s: float = 30) -> bool:
    """Delete an image that has not got its bytes, and that nobody gives it any more; whether it had not. As ``drop``."""
    try:
        status = rest.request("GET", "image", path("/v2/images/{id}", image_id), timeout_s=timeout_s)["status"]
    except errors.NotFound:
        return True
    if status not in ("queued", "saving"):
        return False
    drop(rest, image_id, timeout_s)
    return True
