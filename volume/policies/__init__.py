"""Rules of the volume service, by the names, defaults and scopes of Cinder."""

from volume.policies import attachments, base, quotas, services, snapshots, types, volume_actions, volume_metadata, volumes

RULES = [*base.RULES, *volumes.RULES, *volume_actions.RULES, *volume_metadata.RULES, *snapshots.RULES, *attachments.RULES,
         *types.RULES, *quotas.RULES, *services.RULES]


def list_rules():
    """For the generators of oslo.policy."""
    return RULES
