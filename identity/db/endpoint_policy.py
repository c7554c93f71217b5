"""Which policy document applies to which endpoint."""

import sqlalchemy as sa

from identity.db import models, regions

TABLE = models.policy_associations


def associations(connection) -> dict[tuple[str, str, str], str]:
    """{(endpoint id, service id, region id): policy id}; unused ids of an association are ""."""
    return {(endpoint, service, region): policy for endpoint, service, region, policy in connection.execute(
        sa.select(TABLE.c.endpoint_id, TABLE.c.service_id, TABLE.c.region_id, TABLE.c.policy_id))}


def effective(connection, endpoints: list[dict]) -> dict[str, str]:
    """{endpoint id: policy id} of the endpoints to which a policy applies: the endpoint's own one, else that of its service in
    its region or in the nearest region around that, else its service's."""
    held, parents, found = associations(connection), regions.parents(connection), {}
    for endpoint in endpoints:
        of_regions = [("", endpoint["service_id"], r) for r in _upwards(parents, endpoint["region_id"])]
        keys = [(endpoint["id"], "", ""), *of_regions, ("", endpoint["service_id"], "")]
        policy_id = next((held[k] for k in keys if k in held), None)
        if policy_id is not None:
            found[endpoint["id"]] = policy_id
    return found


def _upwards(parents: dict[str, str | None], region_id: str | None) -> list[str]:
    """A region and those around it, innermost first."""
    found: list[str] = []
    while region_id and region_id not in found:
        found.append(region_id)
        region_id = parents.get(region_id)
    return found
