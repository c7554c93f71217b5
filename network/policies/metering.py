"""Rules of metering labels and of the rules in them."""

from network.policies import base

RULES = [found for noun in ("metering_label", "metering_label_rule") for found in base.of_noun(
    noun, f"/metering/{noun.replace('_', '-')}s", create=base.ADMIN_OR_MANAGER, get=base.ADMIN_OR_READER,
    delete=base.ADMIN_OR_MANAGER)]
