"""Every route of the identity API."""

from common.wsgi import Route
from identity.handlers import (
    access_rules,
    application_credentials,
    auth,
    credentials,
    domains,
    ec2,
    endpoint_filter,
    endpoints,
    grants,
    groups,
    limits,
    policies,
    project_tags,
    projects,
    regions,
    revocations,
    roles,
    services,
    trusts,
    users,
    versions,
)


def _crud(plural: str, module) -> list[Route]:
    path = f"/v3/{plural}"
    return [Route("GET", path, module.index), Route("POST", path, module.create, 201),
            Route("GET", path + "/{id}", module.show), Route("PATCH", path + "/{id}", module.update),
            Route("DELETE", path + "/{id}", module.delete, 204)]


ROUTES = [
    Route("GET", "/", versions.index, 300),
    Route("GET", "/v3", versions.show),
    Route("POST", "/v3/auth/tokens", auth.issue, 201),
    Route("GET", "/v3/auth/tokens", auth.validate),
    Route("DELETE", "/v3/auth/tokens", auth.revoke, 204),
    Route("GET", "/v3/auth/catalog", auth.catalog),
    Route("GET", "/v3/auth/projects", auth.projects),
    Route("GET", "/v3/auth/domains", auth.domains), Route("GET", "/v3/auth/system", auth.system),
    Route("GET", "/v3/OS-REVOKE/events", revocations.events),
    *_crud("domains", domains), *_crud("projects", projects), *_crud("users", users), *_crud("roles", roles),
    *_crud("regions", regions), Route("PUT", "/v3/regions/{id}", regions.put, 201),
    *_crud("services", services), *_crud("endpoints", endpoints), *_crud("groups", groups), *_crud("policies", policies),
    *_crud("credentials", credentials),
    Route("GET", "/v3/users/{id}/application_credentials", application_credentials.index),
    Route("POST", "/v3/users/{id}/application_credentials", application_credentials.create, 201),
    Route("GET", "/v3/users/{id}/application_credentials/{credential_id}", application_credentials.show),
    Route("DELETE", "/v3/users/{id}/application_credentials/{credential_id}", application_credentials.delete, 204),
    Route("GET", "/v3/users/{id}/access_rules", access_rules.index),
    Route("GET", "/v3/users/{id}/access_rules/{rule_id}", access_rules.show),
    Route("DELETE", "/v3/users/{id}/access_rules/{rule_id}", access_rules.delete, 204),
    Route("POST", "/v3/ec2tokens", ec2.ec2_tokens), Route("POST", "/v3/s3tokens", ec2.s3_tokens),
    Route("GET", "/v3/users/{id}/credentials/OS-EC2", ec2.index),
    Route("POST", "/v3/users/{id}/credentials/OS-EC2", ec2.create, 201),
    Route("GET", "/v3/users/{id}/credentials/OS-EC2/{access}", ec2.show),
    Route("DELETE", "/v3/users/{id}/credentials/OS-EC2/{access}", ec2.delete, 204),
    Route("GET", "/v3/projects/{id}/tags", project_tags.index), Route("PUT", "/v3/projects/{id}/tags", project_tags.replace),
    Route("DELETE", "/v3/projects/{id}/tags", project_tags.clear, 204),
    Route("GET", "/v3/projects/{id}/tags/{tag}", project_tags.check, 204),
    Route("PUT", "/v3/projects/{id}/tags/{tag}", project_tags.add, 201),
    Route("DELETE", "/v3/projects/{id}/tags/{tag}", project_tags.remove, 204),
    Route("GET", "/v3/limits/model", limits.model), *limits.routes(), *endpoint_filter.routes(),
    Route("GET", "/v3/groups/{id}/users", groups.users),
    Route("PUT", "/v3/groups/{id}/users/{user_id}", groups.add, 204),
    Route("GET", "/v3/groups/{id}/users/{user_id}", groups.check, 204),
    Route("DELETE", "/v3/groups/{id}/users/{user_id}", groups.remove, 204),
    Route("GET", "/v3/users/{id}/groups", groups.of_user),
    Route("POST", "/v3/OS-TRUST/trusts", trusts.create, 201),
    Route("GET", "/v3/OS-TRUST/trusts", trusts.index),
    Route("GET", "/v3/OS-TRUST/trusts/{id}", trusts.show),
    Route("DELETE", "/v3/OS-TRUST/trusts/{id}", trusts.delete, 204),
    Route("GET", "/v3/OS-TRUST/trusts/{id}/roles", trusts.roles),
    Route("GET", "/v3/OS-TRUST/trusts/{id}/roles/{role_id}", trusts.role),
    Route("POST", "/v3/users/{id}/password", users.password, 204),
    Route("GET", "/v3/users/{id}/projects", users.projects),
    Route("GET", "/v3/role_assignments", grants.assignments),
    Route("GET", "/v3/role_inferences", roles.inferences),
    Route("GET", "/v3/roles/{id}/implies", roles.implies),
    Route("PUT", "/v3/roles/{id}/implies/{implied_id}", roles.imply, 201),
    Route("DELETE", "/v3/roles/{id}/implies/{implied_id}", roles.unimply, 204),
    *[route for target in ("projects", "domains", "system") for holder in ("user", "group")
      for path in [f"/v3/{target}{'' if target == 'system' else '/{target_id}'}/{holder}s/{{{holder}_id}}/roles"]
      for route in (Route("GET", path, grants.index(target)),
                    Route("PUT", path + "/{role_id}", grants.add(target), 204),
                    Route("GET", path + "/{role_id}", grants.check(target), 204),
                    Route("DELETE", path + "/{role_id}", grants.remove(target), 204))],
    *[route for target in ("projects", "domains") for holder in ("user", "group")
      for path in [f"/v3/OS-INHERIT/{target}/{{target_id}}/{holder}s/{{{holder}_id}}/roles"]
      for one in [path + "/{role_id}/inherited_to_projects"]
      for route in (Route("GET", path + "/inherited_to_projects", grants.index(target, inherited=True)),
                    Route("PUT", one, grants.add(target, inherited=True), 204),
                    Route("GET", one, grants.check(target, inherited=True), 204),
                    Route("DELETE", one, grants.remove(target, inherited=True), 204))],
]
