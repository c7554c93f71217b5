"""Rules of the image service, by the names, defaults and scopes of Glance."""

from common import policy
from image.policies import base, cache, discovery, images, locations, members, metadefs, tasks

RULES = [*base.RULES, *images.RULES, *locations.RULES, *members.RULES, *tasks.RULES, *cache.RULES, *discovery.RULES,
         *metadefs.RULES]


class Policy(policy.Policy):
    refusal = "You are not authorized to complete %(rule)s action."


def list_rules():
    """For the generators of oslo.policy."""
    return RULES
