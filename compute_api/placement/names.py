"""The names of OpenStack's resource classes and traits, from the libraries that define them.

They are imported when first needed: most clouds are never asked.
"""

import functools

from common import errors

CPUS, MEMORY, DISK = "VCPU", "MEMORY_MB", "DISK_GB"


@functools.cache
def resource_classes() -> tuple[str, ...]:
    import os_resource_classes
    return tuple(os_resource_classes.STANDARDS)


@functools.cache
def traits() -> frozenset[str]:
    import os_traits
    return frozenset(os_traits.get_traits())


def check_resource_classes(names) -> None:
    """:raises BadRequest: one of them is no resource class"""
    unknown = sorted(set(names) - set(resource_classes()))
    if unknown:
        raise errors.BadRequest(f"Invalid resource class in resources parameter: No such resource class {unknown[0]}.")


def unknown_traits(names) -> str:
    """What is wrong with traits, "" if all of them exist."""
    unknown = sorted(set(names) - traits())
    return f"No such trait(s): {', '.join(unknown)}." if unknown else ""
