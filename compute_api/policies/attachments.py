"""Volumes of a server."""

from common.policy import rule
from compute_api.policies.base import MEMBER, READER, SERVICE

_ALL, _ONE = "/servers/{server_id}/os-volume_attachments", "/servers/{server_id}/os-volume_attachments/{volume_id}"

RULES = [
    rule("os_compute_api:os-volumes-attachments:index", READER, "List a server's volumes", f"GET {_ALL}"),
    rule("os_compute_api:os-volumes-attachments:create", MEMBER, "Attach a volume to a server", f"POST {_ALL}"),
    rule("os_compute_api:os-volumes-attachments:show", READER, "Show how a volume is attached to a server", f"GET {_ONE}"),
    rule("os_compute_api:os-volumes-attachments:update", MEMBER, "Change whether a volume is deleted with its server",
         f"PUT {_ONE}"),
    rule("os_compute_api:os-volumes-attachments:swap", SERVICE, "Swap a server's volume for another", f"PUT {_ONE}"),
    rule("os_compute_api:os-volumes-attachments:delete", MEMBER, "Detach a volume from a server", f"DELETE {_ONE}"),
]
