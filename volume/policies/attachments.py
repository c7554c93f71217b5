"""Rules of attachments."""

from volume.policies.base import ADMIN, MEMBER, OR_SERVICE, rule

RULES = [
    rule("volume:attachment_create", MEMBER + OR_SERVICE, "Create an attachment: reserve a volume for a server, and connect it",
         "POST /attachments"),
    rule("volume:multiattach_bootable_volume", MEMBER + OR_SERVICE,
         "Attach a volume that can be booted from, and that a server uses, to one more server", "POST /attachments"),
    rule("volume:attachment_update", MEMBER + OR_SERVICE, "Update an attachment: connect a reserved volume to a host",
         "PUT /attachments/{id}"),
    rule("volume:attachment_delete", MEMBER + OR_SERVICE, "Delete an attachment: disconnect a volume",
         "DELETE /attachments/{id}"),
    rule("volume:attachment_complete", MEMBER + OR_SERVICE, "Mark an attached volume as in use",
         "POST /attachments/{id}/action (os-complete)"),
    rule("volume:attachment_connection_info", ADMIN + OR_SERVICE,
         "See the connection information of an attachment, including its secrets, and delete an attachment that a server uses",
         "POST /attachments", "GET /attachments/{id}", "PUT /attachments/{id}", "DELETE /attachments/{id}"),
]
