"""Rules of where images' data is."""

from image.policies.base import ADMIN, OWNERS_MEMBER, OWNERS_READER, SERVICE, rule

_IMAGE, _LOCATIONS = "/v2/images/{id}", "/v2/images/{id}/locations"
_ANY = (f"GET {_IMAGE}", "GET /v2/images", "GET /v2/images/{id}/tasks", "DELETE /v2/stores/{store}/{id}")

RULES = [
    rule("get_image_location", OWNERS_READER, "See where an image's data is, and where it came from", *_ANY),
    rule("set_image_location", OWNERS_MEMBER, "Name a URL as the data of an image", f"PATCH {_IMAGE}"),
    rule("delete_image_location", ADMIN, "Take one of its places from an image", f"PATCH {_IMAGE}",
         "DELETE /v2/stores/{store}/{id}"),
    rule("add_image_location", f"{SERVICE} or (role:member and project_id:%(project_id)s and project_id:%(owner)s)",
         "Name a URL as the data of a new image, and have it read", f"POST {_LOCATIONS}"),
    rule("fetch_image_location", SERVICE, "Ask where an image's data is", f"GET {_LOCATIONS}"),
]
