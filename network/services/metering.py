"""Metering: traffic through routers' gateways, counted by label. Rules say which traffic a label counts.

The counts come as notifications (``l3.meter``).
"""

import sqlalchemy as sa

from common import errors, rows, schema, values
from network import parsing
from network.db import models
from network.services.resource import REQUIRED, Attribute, Resource, flag

_PREFIX = {"type": ["string", "null"], "maxLength": 64}


def _prefix(raw, what: str) -> str:
    return str(parsing.cidr(raw, what, host_bits=True) if "/" in raw else values.ip_network(raw, what))


class _Metering(Resource):
    shown_fields: tuple[str, ...] = ()

    def fields(self, row):
        whole = {**row, "tenant_id": row["project_id"]}
        return {k: whole[k] for k in self.shown_fields}


class MeteringLabels(_Metering):
    singular, plural, kind, table = "metering_label", "metering_labels", "MeteringLabel", models.metering_labels
    shown_fields = ("id", "name", "description", "project_id", "tenant_id", "shared")
    attributes = {"shared": flag(False)}

    def concern(self, work, before, after):
        """The routers of a label's project count, or those of all projects."""
        table = models.routers
        for row in [*before, *after]:
            work.changes.routers(work.connection, sa.select(table.c.id).where(
                sa.true() if row["shared"] else table.c.project_id == row["project_id"]))


class MeteringRules(_Metering):
    singular, plural, kind = "metering_label_rule", "metering_label_rules", "MeteringLabelRule"
    table, named = models.metering_label_rules, False
    shown_fields = ("id", "metering_label_id", "direction", "remote_ip_prefix", "source_ip_prefix", "destination_ip_prefix",
             "excluded")
    attributes = {"metering_label_id": Attribute(schema.UUID, REQUIRED, parse=values.uuid),
                  "direction": Attribute({"enum": ["ingress", "egress"]}, "ingress"),
                  **{f"{side}_ip_prefix": Attribute(_PREFIX, None, parse=_prefix)
                     for side in ("remote", "source", "destination")}, "excluded": flag(False)}

    def fields(self, row):
        """The remote end is the source of incoming packets, and the destination of outgoing ones."""
        remote, other = ("source", "destination") if row["direction"] == "ingress" else ("destination", "source")
        alone = row[f"{other}_ip_prefix"] is None
        return super().fields({**row, "remote_ip_prefix": row[f"{remote}_ip_prefix"] if alone else None})

    def insert(self, work, values):
        label = LABELS.get(work, values["metering_label_id"])
        remote = values.pop("remote_ip_prefix")
        names = ("source_ip_prefix", "destination_ip_prefix")
        if remote is not None and any(values[n] is not None for n in names):
            raise errors.BadRequest("remote_ip_prefix cannot be combined with source_ip_prefix or destination_ip_prefix.")
        if remote is not None:
            values[names[0] if values["direction"] == "ingress" else names[1]] = remote
        if all(values[n] is None for n in names):
            raise errors.BadRequest("A metering label rule needs an IP prefix.")
        if len({":" in values[n] for n in names if values[n] is not None}) > 1:
            raise errors.BadRequest("source_ip_prefix and destination_ip_prefix must have the same IP version.")
        values.update(project_id=label["project_id"])
        same = {name: values[name] for name in (*names, "metering_label_id", "direction")}
        taken = rows.first(work.connection, self.table, **same)
        if taken is not None:
            raise errors.Conflict(f"Metering label rule {taken['id']} counts the same traffic already.",
                                  kind="MeteringLabelRuleOverlaps")
        rows.insert(work.connection, self.table, values)
        return values

    def concern(self, work, before, after):
        LABELS.concern(work, [], [rows.get(work.connection, LABELS.table, row["metering_label_id"], resource="MeteringLabel")
                                  for row in [*before, *after]])


LABELS, LABEL_RULES = MeteringLabels(), MeteringRules()
