"""Rules of members: the projects that an image is shared with."""

from image.policies.base import ADMIN, OR_SERVICE, OWNERS_MEMBER, READER_OF_EITHER, rule

_MEMBERS, _MEMBER = "/v2/images/{id}/members", "/v2/images/{id}/members/{member_id}"

RULES = [
    rule("get_members", READER_OF_EITHER, "List an image's members; a member sees only itself", f"GET {_MEMBERS}"),
    rule("get_member", READER_OF_EITHER + OR_SERVICE, "Show a member of an image", f"GET {_MEMBER}"),
    rule("add_member", OWNERS_MEMBER, "Share an image with a project", f"POST {_MEMBERS}"),
    rule("modify_member", f"{ADMIN} or (role:member and project_id:%(member_id)s)",
         "Accept or reject an image that is shared with one's project", f"PUT {_MEMBER}"),
    rule("delete_member", OWNERS_MEMBER, "Stop sharing an image with a project", f"DELETE {_MEMBER}"),
]
