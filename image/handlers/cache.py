"""The cache of this host, for administrators: what it has, what it is to fetch, what it is to forget. Without one, 404."""

from common import errors, wsgi
from image.db import images


def _cache(req, rule: str):
    """:raises Forbidden: it is not for this caller; :raises NotFound: there is no cache here"""
    req.svc.policy.check(req.ctx, rule, {})
    if req.svc.cache.path is None:
        raise errors.NotFound("Caching via API is not supported at this site.")
    return req.svc.cache


def index(req):
    cache = _cache(req, "cache_list")
    return {"cached_images": cache.cached(), "queued_images": cache.queued()}


def queue(req, id):
    cache = _cache(req, "cache_image")
    with req.svc.db.reader() as connection:
        row = images.get(connection, req.ctx, id)
    if row["status"] != "active":
        raise errors.BadRequest("Only images with status active can be targeted for queueing")
    cache.ask(id)
    return wsgi.empty(202)


def delete(req, id):
    cache = _cache(req, "cache_delete")
    if id not in {each["image_id"] for each in cache.cached()} | set(cache.queued()):
        raise errors.NotFound(f"Image {id} is not in the cache.")
    cache.drop(id)


def clear(req):
    """All of it, or with ``x-image-cache-clear-target`` what is there, or what was asked for."""
    cache, target = _cache(req, "cache_delete"), req.headers.get("x-image-cache-clear-target", "")
    if target not in ("", "cache", "queue"):
        raise errors.BadRequest("If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.")
    cache.clear(copies=target != "queue", wishes=target != "cache")


def routes() -> list[wsgi.Route]:
    return [wsgi.Route("GET", "/v2/cache", index), wsgi.Route("DELETE", "/v2/cache", clear, 204),
            wsgi.Route("PUT", "/v2/cache/{id}", queue, 202), wsgi.Route("DELETE", "/v2/cache/{id}", delete, 204)]
