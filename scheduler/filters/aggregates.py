"""Filters by the metadata of a host's aggregates."""

from scheduler.filters import operators
from scheduler.filters.base import Filter, extra_specs, metadata

_SCOPE = "aggregate_instance_extra_specs"


class AggregateInstanceExtraSpecsFilter(Filter):
    """The flavor's extra specs without a namespace, or in this filter's, must match metadata of the host's aggregates."""

    why = "in no aggregate that the flavor is for"

    def passes(self, host, spec):
        found = metadata(host)
        for name, wanted in extra_specs(spec).items():
            namespace, colon, rest = name.partition(":")
            if colon and namespace != _SCOPE:
                continue
            if not any(operators.match(value, str(wanted)) for value in found.get(rest if colon else name, ())):
                return False
        return True


class AggregateMultiTenancyIsolation(Filter):
    """Hosts in an aggregate with ``filter_tenant_id*`` metadata accept only the projects that it lists."""

    why = "in an aggregate of other projects"

    def passes(self, host, spec):
        projects = {value for name, values in metadata(host).items() if name.startswith("filter_tenant_id") for value in values}
        return not projects or spec["project_id"] in projects


class AggregateImagePropertiesIsolation(Filter):
    """Image properties that are also metadata of the host's aggregates must have one of the values there."""

    why = "in an aggregate for other images"

    def passes(self, host, spec):
        own = spec["image_properties"]
        return all(not own.get(name) or str(own[name]) in values for name, values in metadata(host).items())


class AggregateTypeAffinityFilter(Filter):
    """Hosts in an aggregate with ``instance_type`` metadata accept only the flavors that it lists."""

    why = "in an aggregate for other flavors"

    def passes(self, host, spec):
        names = metadata(host).get("instance_type", set())
        return not names or spec.get("flavor_name") in names
