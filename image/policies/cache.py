"""Rules of a host's cache of images."""

from image.policies.base import ADMIN, rule

RULES = [
    rule("cache_list", ADMIN, "List what is in the cache and what is to be", "GET /v2/cache"),
    rule("cache_image", ADMIN, "Have an image fetched into the cache", "PUT /v2/cache/{id}"),
    rule("cache_delete", ADMIN, "Take images from the cache", "DELETE /v2/cache", "DELETE /v2/cache/{id}"),
]
