"""Rules that other rules refer to, with Glance's names, so that an operator's file can refer to them too.

A rule can check these attributes of an image: ``project_id`` and ``owner`` (the project that owns it), ``visibility``, and
``member_id`` (the caller's project, if the image is shared with it).
"""

from common.policy import rule

ADMIN, SERVICE = "rule:context_is_admin", "rule:service_api"
# The users of services have only this role, and work with the images of servers of every project.
OR_SERVICE = f" or {SERVICE}"
OWNERS_MEMBER = f"{ADMIN} or (role:member and project_id:%(project_id)s)"
OWNERS_READER = f"{ADMIN} or (role:reader and project_id:%(project_id)s)"
_SEEN = ("(project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s "
         "or 'shared':%(visibility)s)")
SEEN_BY_READER, SEEN_BY_MEMBER = f"{ADMIN} or (role:reader and {_SEEN})", f"{ADMIN} or (role:member and {_SEEN})"
READER_OF_EITHER = f"{ADMIN} or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))"

RULES = [
    rule("context_is_admin", "role:admin", "An administrator, who sees the images and metadata definitions of every project"),
    rule("service_api", "role:service or role:admin",
         "Another service of the cloud, which works with the images of every project's servers and volumes"),
    rule("metadef_admin", ADMIN, "The default for requests that change metadata definitions"),
]
