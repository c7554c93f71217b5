"""Every route of the image API."""

from common.wsgi import Route
from image.handlers import (
    cache,
    data,
    images,
    imports,
    locations,
    members,
    metadefs,
    registry,
    schemas,
    stores,
    tags,
    v1,
    versions,
)

ROUTES = [
    Route("GET", "/", versions.index, 300), Route("GET", "/versions", versions.index),
    Route("GET", "/v1", versions.index), Route("GET", "/v2", versions.index),
    Route("GET", "/v2/images", images.index), Route("POST", "/v2/images", images.create, 201),
    Route("DELETE", "/v2/images", images.delete_nothing), Route("GET", "/v2/images/{id}", images.show),
    Route("PATCH", "/v2/images/{id}", images.update),
    Route("DELETE", "/v2/images/{id}", images.delete, 204),
    Route("PUT", "/v2/images/{id}/file", data.upload, 204), Route("GET", "/v2/images/{id}/file", data.download),
    Route("POST", "/v2/images/{id}/actions/deactivate", images.deactivate, 204),
    Route("POST", "/v2/images/{id}/actions/reactivate", images.reactivate, 204),
    Route("PUT", "/v2/images/{id}/tags/{tag}", tags.add, 204),
    Route("DELETE", "/v2/images/{id}/tags/{tag}", tags.remove, 204),
    Route("GET", "/v2/images/{id}/members", members.index), Route("POST", "/v2/images/{id}/members", members.create),
    Route("GET", "/v2/images/{id}/members/{member_id}", members.show),
    Route("PUT", "/v2/images/{id}/members/{member_id}", members.update),
    Route("DELETE", "/v2/images/{id}/members/{member_id}", members.delete, 204),
    Route("GET", "/v2/schemas/{name}", schemas.show), Route("GET", "/v2/schemas/metadefs/{name}", schemas.show_metadef),
    *metadefs.routes(), *cache.routes(), *locations.routes(), *v1.routes(), *imports.routes(),
    Route("DELETE", "/v2/stores/{store}/{id}", stores.delete, 204), Route("GET", "/v2/info/stores", stores.index),
    Route("GET", "/v2/info/stores/detail", stores.detail), Route("GET", "/v2/info/usage", stores.usage),
]

REGISTRY = registry.routes()
