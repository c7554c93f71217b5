"""Images in another region's image service, read with the token of the user who imports them (method glance-download)."""

import contextlib
import json

import urllib3

from common import errors, values
from common.rest import path

_TIMEOUT = urllib3.Timeout(connect=10, read=60)


def check(method: dict) -> None:
    """:raises BadRequest: the image or the region is missing"""
    if not values.is_uuid(method.get("glance_image_id")):
        raise errors.BadRequest("The image id in glance_image_id is not a UUID.")
    if not isinstance(method.get("glance_region"), str):
        raise errors.BadRequest("glance_region is missing.")


class Remote:
    """An image in another region: its metadata, and its data as a stream."""

    def __init__(self, image: dict, response):
        self.image, self.read = image, response.read

    def columns(self, row: dict, names: list[str]) -> dict:
        """The columns that are copied with the data.

        :param names: of properties, or prefixes of them
        """
        taken = {k: v for k, v in self.image.items() if isinstance(v, str) and any(
            k.startswith(n) if n.endswith(("_", ":")) else k == n for n in names)}
        return {"disk_format": self.image["disk_format"], "container_format": self.image["container_format"],
                "properties": {**row["properties"], **taken}}


def _endpoint(rest, ctx, region: str, interface: str) -> str:
    """The other service's URL from the catalog. Operators define the catalog, so any address is allowed."""
    catalog = rest.request("GET", "identity", path("/v3/auth/catalog"), ctx=ctx)["catalog"]
    for service in catalog:
        for each in service["endpoints"] if service["type"] == "image" else []:
            if each["interface"] == interface and region in (each.get("region_id"), each.get("region")):
                return each["url"].rstrip("/").removesuffix("/v2")
    raise errors.StepFailed(reason=f"There is no image service in region {region}.")


@contextlib.contextmanager
def download(rest, ctx, method: dict):
    """A ``Remote``.

    :raises StepFailed: there is no such service or image, or the user may not see it
    """
    if ctx is None or not ctx.token:
        raise errors.StepFailed(reason="The import was interrupted; its token is not stored, so it cannot be continued.")
    base = _endpoint(rest, ctx, method["glance_region"], method.get("glance_service_interface") or "public")
    url = f"{base}/v2/images/{method['glance_image_id']}"
    pool, headers = urllib3.PoolManager(timeout=_TIMEOUT, retries=False), {"X-Auth-Token": ctx.token}
    try:
        found = pool.request("GET", url, headers=headers)
        if found.status != 200:
            raise errors.StepFailed(reason=f"The image service of that region responded with {found.status}.")
        image = json.loads(found.data)
        if image["status"] != "active":
            raise errors.StepFailed(reason="The image in that region is not active.")
        response = pool.request("GET", url + "/file", headers=headers, preload_content=False)
        if response.status != 200:
            raise errors.StepFailed(reason=f"The image service of that region responded with {response.status}.")
        yield Remote(image, response)
    except (urllib3.exceptions.HTTPError, ValueError, KeyError) as error:
        raise errors.StepFailed(reason="The image service of that region does not respond.", internal=str(error)) from error
    finally:
        pool.clear()
