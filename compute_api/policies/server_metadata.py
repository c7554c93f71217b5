"""Metadata and tags of a server."""

from common.policy import rule
from compute_api.policies.base import MEMBER, READER

_META, _TAGS = "/servers/{server_id}/metadata", "/servers/{server_id}/tags"

RULES = [
    rule("os_compute_api:server-metadata:index", READER, "List a server's metadata", f"GET {_META}"),
    rule("os_compute_api:server-metadata:show", READER, "Show an item of a server's metadata", f"GET {_META}/{{key}}"),
    rule("os_compute_api:server-metadata:create", MEMBER, "Add to a server's metadata", f"POST {_META}"),
    rule("os_compute_api:server-metadata:update_all", MEMBER, "Replace a server's metadata", f"PUT {_META}"),
    rule("os_compute_api:server-metadata:update", MEMBER, "Set an item of a server's metadata", f"PUT {_META}/{{key}}"),
    rule("os_compute_api:server-metadata:delete", MEMBER, "Delete an item of a server's metadata", f"DELETE {_META}/{{key}}"),
    rule("os_compute_api:os-server-tags:index", READER, "List a server's tags", f"GET {_TAGS}"),
    rule("os_compute_api:os-server-tags:show", READER, "Check whether a server has a tag", f"GET {_TAGS}/{{tag}}"),
    rule("os_compute_api:os-server-tags:update_all", MEMBER, "Replace a server's tags", f"PUT {_TAGS}"),
    rule("os_compute_api:os-server-tags:update", MEMBER, "Add a tag to a server", f"PUT {_TAGS}/{{tag}}"),
    rule("os_compute_api:os-server-tags:delete_all", MEMBER, "Delete a server's tags", f"DELETE {_TAGS}"),
    rule("os_compute_api:os-server-tags:delete", MEMBER, "Delete a tag of a server", f"DELETE {_TAGS}/{{tag}}"),
]
