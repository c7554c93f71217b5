"""The cache of this host, for administrators: list, queue and remove images. Without a cache, 404."""

from common import errors, wsgi
from image import access
from image.services import cache


def _cache(req, rule: str, target: dict):
    """:raises Forbidden: the caller may not; :raises NotFound: this host has no cache"""
    req.svc.policy.check(req.ctx, rule, target)
    if req.svc.cache.path is None:
        raise errors.NotFound("Caching via API is not supported at this site.")
    return req.svc.cache


def _image(req, id: str) -> dict:
    return cache.image(req.call, id)


def index(req):
    known = _cache(req, "cache_list", {})
    return {"cached_images": known.cached(), "queued_images": known.queued()}


def queue(req, id):
    row = _image(req, id)
    known = _cache(req, "cache_image", access.target(req.call, row))
    if row["status"] != "active":
        raise errors.BadRequest("Only images with status active can be targeted for queueing")
    known.ask(id)
    return wsgi.empty(202)


def delete(req, id):
    """Also for images that have been deleted, as long as they are cached."""
    known = req.svc.cache.path is not None and id in {
        *(each["image_id"] for each in req.svc.cache.cached()), *req.svc.cache.queued()}
    try:
        target = access.target(req.call, _image(req, id))
    except errors.NotFound:
        if not known:
            raise
        target = {}
    held = _cache(req, "cache_delete", target)
    if not known:
        raise errors.NotFound(f"Image {id} is not in the cache.")
    held.drop(id)


def clear(req):
    """Remove everything, or with ``x-image-cache-clear-target`` only cached or only queued images."""
    held, target = _cache(req, "cache_delete", {}), req.headers.get("x-image-cache-clear-target", "")
    if target not in ("", "cache", "queue"):
        raise errors.BadRequest("If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.")
    held.clear(copies=target != "queue", queue=target != "cache")


def routes() -> list[wsgi.Route]:
    return [wsgi.Route("GET", "/v2/cache", index), wsgi.Route("DELETE", "/v2/cache", clear, 204),
            wsgi.Route("PUT", "/v2/cache/{id}", queue, 202), wsgi.Route("DELETE", "/v2/cache/{id}", delete, 204)]
