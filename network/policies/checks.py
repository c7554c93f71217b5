"""The check that Neutron adds to oslo.policy, ``field:networks:shared=True``, so that Neutron's policy files work here too."""

import re

from oslo_policy import _checks
from oslo_policy import policy as oslo_policy


class FieldCheck(_checks.Check):
    """Whether an attribute has a value, or with ``=~`` one whose beginning matches a regular expression.

    ``networks:shared`` checks ``network:shared`` of the target: of the network itself, or of the network of the resource.
    """

    def __init__(self, kind, match):
        super().__init__(kind, match)
        noun, _, condition = match.partition(":")
        name, _, self.value = condition.partition("=")
        self.key = f"{noun.removesuffix('s')}:{name}"
        self.pattern = re.compile(self.value[1:]) if self.value.startswith("~") else None

    def __deepcopy__(self, memo):
        return self  # never changed; patterns of some versions cannot be copied

    def __call__(self, target, creds, enforcer, current_rule=None):
        found = target.get(self.key)
        if found is None:
            return False
        return self.pattern.match(str(found)) is not None if self.pattern else str(found) == self.value


def register() -> None:
    oslo_policy.register("field")(FieldCheck)
