"""Every route of v2.0. Creating requests return 200."""

from common.wsgi import Route
from identity.handlers import ec2, versions
from identity.v2 import catalog, extensions, roles, tenants, tokens, users

_TENANTS, _USERS, _ROLES, _SERVICES = "/v2.0/tenants", "/v2.0/users", "/v2.0/OS-KSADM/roles", "/v2.0/OS-KSADM/services"
_GRANTS, _EC2 = _TENANTS + "/{id}/users/{user_id}/roles", _USERS + "/{id}/credentials/OS-EC2"

ROUTES = [
    Route("GET", "/v2.0", versions.show_v2),
    Route("GET", "/v2.0/extensions", extensions.index), Route("GET", "/v2.0/extensions/{alias}", extensions.show),
    Route("POST", "/v2.0/tokens", tokens.issue), Route("GET", "/v2.0/tokens/{token_id}", tokens.validate),
    Route("DELETE", "/v2.0/tokens/{token_id}", tokens.revoke, 204),
    Route("GET", "/v2.0/tokens/{token_id}/endpoints", tokens.endpoints),
    Route("GET", _TENANTS, tenants.index), Route("POST", _TENANTS, tenants.create),
    Route("GET", _TENANTS + "/{id}", tenants.show), Route("POST", _TENANTS + "/{id}", tenants.update),
    Route("PUT", _TENANTS + "/{id}", tenants.update), Route("DELETE", _TENANTS + "/{id}", tenants.delete, 204),
    Route("GET", _TENANTS + "/{id}/users", users.of_tenant), Route("GET", _GRANTS, roles.of_user),
    Route("PUT", _GRANTS + "/OS-KSADM/{role_id}", roles.add), Route("DELETE", _GRANTS + "/OS-KSADM/{role_id}", roles.remove, 204),
    Route("GET", _USERS, users.index), Route("POST", _USERS, users.create), Route("GET", _USERS + "/{id}", users.show),
    Route("PUT", _USERS + "/{id}", users.update), Route("DELETE", _USERS + "/{id}", users.delete, 204),
    *[Route("PUT", f"{_USERS}/{{id}}/{what}", users.update)
      for what in ("enabled", "OS-KSADM/enabled", "OS-KSADM/password", "OS-KSADM/tenant")],
    Route("PATCH", "/v2.0/OS-KSCRUD/users/{id}", users.own_password),
    Route("GET", _EC2, ec2.index), Route("POST", _EC2, ec2.create), Route("GET", _EC2 + "/{access}", ec2.show),
    Route("DELETE", _EC2 + "/{access}", ec2.delete, 204),
    Route("GET", _ROLES, roles.index), Route("POST", _ROLES, roles.create), Route("GET", _ROLES + "/{id}", roles.show),
    Route("DELETE", _ROLES + "/{id}", roles.delete, 204),
    Route("GET", _SERVICES, catalog.services), Route("POST", _SERVICES, catalog.create_service),
    Route("GET", _SERVICES + "/{id}", catalog.show_service), Route("DELETE", _SERVICES + "/{id}", catalog.delete_service, 204),
    Route("GET", "/v2.0/endpoints", catalog.index), Route("POST", "/v2.0/endpoints", catalog.create),
    Route("DELETE", "/v2.0/endpoints/{id}", catalog.delete, 204),
]
