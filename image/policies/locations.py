"""Rules of the locations of images' data."""

from image.policies.base import ADMIN, OWNERS_MEMBER, OWNERS_READER, SERVICE, rule

_IMAGE, _LOCATIONS = "/v2/images/{id}", "/v2/images/{id}/locations"
_ANY = (f"GET {_IMAGE}", "GET /v2/images", "GET /v2/images/{id}/tasks", "DELETE /v2/stores/{store}/{id}")

RULES = [
    rule("get_image_location", OWNERS_READER, "See the locations of an image's data and the URL it came from", *_ANY),
    rule("set_image_location", OWNERS_MEMBER, "Add a location to an image", f"PATCH {_IMAGE}"),
    rule("delete_image_location", ADMIN, "Remove a location from an image", f"PATCH {_IMAGE}",
         "DELETE /v2/stores/{store}/{id}"),
    rule("add_image_location", f"{SERVICE} or (role:member and project_id:%(project_id)s and project_id:%(owner)s)",
         "Add a location to a new image, whose data is then read from there", f"POST {_LOCATIONS}"),
    rule("fetch_image_location", SERVICE, "List the locations of an image's data", f"GET {_LOCATIONS}"),
]
