"""Lists of resource classes and traits."""

from common import errors
from common.calls import Call
from compute_api.placement import names
from compute_api.placement.services import providers


def resource_classes(call: Call) -> tuple[str, ...]:
    call.svc.placement_policy.check(call.ctx, "placement:resource_classes:list", {})
    return names.resource_classes()


def resource_class(call: Call, name: str) -> str:
    """:raises NotFound: there is none"""
    call.svc.placement_policy.check(call.ctx, "placement:resource_classes:show", {})
    if name not in names.resource_classes():
        raise errors.NotFound(f"No such resource class {name}.")
    return name


def traits(call: Call, associated: bool | None) -> list[str]:
    """All traits; only those that a provider has, or none has, by ``associated``."""
    call.svc.placement_policy.check(call.ctx, "placement:traits:list", {})
    known = names.traits()
    if associated is not None:
        has = providers.associated_traits(call)
        known = known & has if associated else known - has
    return sorted(known)


def check_trait(call: Call, name: str) -> None:
    """:raises NotFound: there is none"""
    call.svc.placement_policy.check(call.ctx, "placement:traits:show", {})
    if wrong := names.unknown_traits([name]):
        raise errors.NotFound(wrong)
