"""Rules of a host's cache of images."""

from image.policies.base import ADMIN, rule

RULES = [
    rule("cache_list", ADMIN, "List the images that are cached or queued for caching", "GET /v2/cache"),
    rule("cache_image", ADMIN, "Queue an image for caching", "PUT /v2/cache/{id}"),
    rule("cache_delete", ADMIN, "Remove images from the cache", "DELETE /v2/cache", "DELETE /v2/cache/{id}"),
]
