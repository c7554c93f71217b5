"""Rules of attachments."""

from volume.policies.base import ADMIN, MEMBER, OR_SERVICE, rule

RULES = [
    rule("volume:attachment_create", MEMBER + OR_SERVICE, "Reserve a volume for a server, and connect it", "POST /attachments"),
    rule("volume:attachment_update", MEMBER + OR_SERVICE, "Connect a reserved volume to a host", "PUT /attachments/{id}"),
    rule("volume:attachment_delete", MEMBER + OR_SERVICE, "Disconnect a volume", "DELETE /attachments/{id}"),
    rule("volume:attachment_complete", MEMBER + OR_SERVICE, "Say that an attached volume is in use",
         "POST /attachments/{id}/action (os-complete)"),
    rule("volume:attachment_connection_info", ADMIN + OR_SERVICE,
         "See how an attached volume is reached, secrets included, and end an attachment that a server uses",
         "POST /attachments", "GET /attachments/{id}", "PUT /attachments/{id}", "DELETE /attachments/{id}"),
]
