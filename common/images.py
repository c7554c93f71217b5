"""Images of the image service: fetched to where they are used, checked on the way, refused when hostile; and sent there."""

import contextlib
import hashlib
import os
import pathlib

from common import errors, inspector
from common.rest import path

CHUNK = 1 << 20


def fetch(rest, image: dict, target: pathlib.Path) -> dict:
    """Download an image's bytes; ``target`` exists only when all of them came and are what they should be.

    :param rest: the service's REST client
    :param image: {"id", "disk_format", "os_hash_algo", "os_hash_value"} as of when it was asked for; with its id alone, the
        rest is asked of the image service
    :returns: the image, complete
    :raises StepFailed: the image is gone, damaged or hostile, or the disk is full
    """
    part = target.with_suffix(".part")
    try:
        if "disk_format" not in image:
            image = rest.request("GET", "image", path("/v2/images/{id}", image["id"]))
        digest = hashlib.new(image.get("os_hash_algo") or "sha512")
        response = rest.request("GET", "image", path("/v2/images/{id}/file", image["id"]), stream=True, timeout_s=60)
        with open(part, "wb") as out:
            for chunk in response.stream(CHUNK):
                digest.update(chunk)
                out.write(chunk)
        response.release_conn()
        if image.get("os_hash_value") and digest.hexdigest() != image["os_hash_value"]:
            raise errors.StepFailed(reason=f"Image {image['id']} arrived damaged: its checksum is wrong.")
        inspector.check(part, image["disk_format"])
        os.replace(part, target)
        return image
    except errors.NotFound as error:
        raise errors.StepFailed(reason=f"Image {image['id']} could not be found.") from error
    except inspector.Hostile as error:
        raise errors.StepFailed(reason=f"Image {image['id']} was refused: {error}") from error
    except OSError as error:
        raise errors.StepFailed(reason="The host has no space for the image.", internal=str(error)) from error
    finally:
        part.unlink(missing_ok=True)


def send(rest, image_id: str, source: pathlib.Path) -> None:
    """Upload a file as the data of an image. Repeatable.

    :raises StepFailed: the image is gone, or its store is full
    """
    try:
        if rest.request("GET", "image", path("/v2/images/{id}", image_id))["status"] == "active":
            return
        with open(source, "rb") as data:
            rest.request("PUT", "image", path("/v2/images/{id}/file", image_id), body=data, timeout_s=600, headers={
                "Content-Type": "application/octet-stream", "Content-Length": str(source.stat().st_size)})
    except (errors.NotFound, errors.TooLarge, errors.Conflict) as error:
        raise errors.StepFailed(reason=f"Image {image_id} could not be filled: {error}") from error


def drop(rest, image_id: str) -> None:
    """Delete an image that is not to be. Repeatable."""
    with contextlib.suppress(errors.NotFound):
        rest.request("DELETE", "image", path("/v2/images/{id}", image_id))
