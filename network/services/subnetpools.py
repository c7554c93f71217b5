"""Subnet pools: ranges from which subnets are allocated without a choice of addresses by users."""

import ipaddress
import typing

from common import db, errors, rows, schema, values
from network import parsing
from network.db import models
from network.services.resource import REQUIRED, Attribute, Resource, flag

_LENGTH = schema.integer(0, 128, null=True)
_PREFIX = {"type": "string", "maxLength": 64}
_LENGTHS = ("min_prefixlen", "max_prefixlen", "default_prefixlen")


def networks_of(prefixes: list[str]) -> list[typing.Any]:
    """Prefixes as networks, joined where they touch, by address.

    :raises BadRequest: they are of more than one IP version
    """
    found: list[typing.Any] = [ipaddress.ip_network(p) for p in prefixes]
    if len({n.version for n in found}) != 1:
        raise errors.BadRequest("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")
    return sorted(ipaddress.collapse_addresses(found))


class SubnetPools(Resource):
    singular, plural, kind, table, quota = "subnetpool", "subnetpools", "SubnetPool", models.subnetpools, "subnetpool"
    more_filters = ("ip_version",)
    shared_filter = models.subnetpools.c.shared
    attributes = {
        # Old clients send a single prefix as plain text.
        "prefixes": Attribute({"anyOf": [_PREFIX, {"type": "array", "minItems": 1, "maxItems": 100, "items": _PREFIX}]},
                              REQUIRED, parse=parsing.prefixes),
        **{name: Attribute(_LENGTH, None, parse=parsing.between(0, 128)) for name in _LENGTHS},
        "shared": flag(False, update=False), "is_default": flag(False),
        "default_quota": Attribute(schema.integer(null=True), None, parse=values.integer)}

    def view(self, row):
        names = ("prefixes", "ip_version", "shared", "is_default", "default_quota")
        # In this API, prefix lengths are strings.
        return {**{k: row[k] for k in names}, **{k: str(row[k]) for k in _LENGTHS}, "address_scope_id": None}

    def target_of(self, row):
        return {"project_id": row["project_id"], "subnetpool:shared": row["shared"]}

    def _settle(self, values: dict) -> dict:
        """Parse prefixes and lengths; defaults depend on the IP version."""
        nets = networks_of(values["prefixes"])
        widest = nets[0].max_prefixlen
        usual = {"min_prefixlen": 8 if widest == 32 else 64, "max_prefixlen": widest}
        low, high = (usual[n] if values[n] is None else values[n] for n in ("min_prefixlen", "max_prefixlen"))
        default = low if values["default_prefixlen"] is None else values["default_prefixlen"]
        if not low <= default <= high <= widest:
            raise errors.BadRequest("Illegal prefix lengths: min_prefixlen <= default_prefixlen <= max_prefixlen must hold.",
                                    kind="IllegalSubnetPoolPrefixBounds")
        return {**values, "prefixes": [str(n) for n in nets], "ip_version": nets[0].version, "min_prefixlen": low,
                "max_prefixlen": high, "default_prefixlen": default}

    def insert(self, work, values):
        values = self._settle(values)
        self._only_default(work.connection, values)
        rows.insert(work.connection, self.table, values)
        return values

    def _only_default(self, connection, values: dict, but: str = "") -> None:
        if values["is_default"]:
            db.lock(connection, "default subnet pool")
        if values["is_default"] and rows.exists(connection, self.table, self.table.c.id != but, is_default=True,
                                                ip_version=values["ip_version"]):
            raise errors.Conflict("A default subnetpool for this IP family has already been set. Only one default may exist "
                                  "per IP family.")

    def change(self, work, old, values):
        merged = self._settle({**old, **values})
        if merged["ip_version"] != old["ip_version"]:
            raise errors.BadRequest("The IP version of a subnet pool cannot be changed.")
        self._only_default(work.connection, merged, old["id"])
        new = networks_of(merged["prefixes"])
        if not all(any(ipaddress.ip_network(p).subnet_of(n) for n in new) for p in old["prefixes"]):
            raise errors.BadRequest("Existing prefixes must be a subset of the new prefixes.",
                                    kind="IllegalSubnetPoolPrefixUpdate")
        return {k: merged[k] for k in {*values, "prefixes", *_LENGTHS}}

    def remove(self, work, row):
        if rows.exists(work.connection, models.subnets, subnetpool_id=row["id"]):
            raise errors.InUse("Unable to delete subnet pool: Subnet pool has existing allocations.", kind="SubnetPoolInUse")

    def default(self, work, ip_version: int) -> dict:
        row = rows.first(work.connection, self.table, self.visible(work), is_default=True, ip_version=ip_version)
        if row is None:
            raise errors.BadRequest(f"No default subnetpool found for IPv{ip_version}.")
        return row

    def cut(self, connection, pool: dict, project_id: str, cidr: str | None, length: int | None) -> str:
        """The CIDR of a new subnet: the requested one, or the first free one with a length.

        :raises Conflict: it is in use, or the pool is exhausted; BadRequest: the pool does not allow it
        """
        subnets = rows.select(connection, models.subnets, subnetpool_id=pool["id"])
        taken = sorted(ipaddress.ip_network(s["cidr"]) for s in subnets)
        wanted = ipaddress.ip_network(cidr) if cidr else None
        length = wanted.prefixlen if wanted else pool["default_prefixlen"] if length is None else length
        if not pool["min_prefixlen"] <= length <= pool["max_prefixlen"]:
            raise errors.BadRequest(f"Prefix length /{length} is not within the pool's {pool['min_prefixlen']} to "
                                    f"{pool['max_prefixlen']}.", kind="PrefixLengthOutOfBounds")
        own = [ipaddress.ip_network(s["cidr"]) for s in subnets if s["project_id"] == project_id]
        self._check_quota(pool, own, length)
        for whole in networks_of(pool["prefixes"]):
            if wanted is not None:
                if wanted.version == whole.version and wanted.subnet_of(whole):
                    if any(wanted.overlaps(t) for t in taken):
                        break
                    return str(wanted)
            else:
                found = _first_free(whole, taken, length)
                if found:
                    return found
        raise errors.Conflict(f"Failed to allocate subnet: Insufficient prefix space to allocate subnet size /{length}",
                              kind="SubnetAllocationError")

    def _check_quota(self, pool: dict, own: list, length: int) -> None:
        """``default_quota``, a project's share of the pool, counts /32 for IPv4 and /64 for IPv6."""
        if pool["default_quota"] is None:
            return
        unit = 32 if pool["ip_version"] == 4 else 64
        used = sum(2 ** max(unit - n.prefixlen, 0) for n in own) + 2 ** max(unit - length, 0)
        if used > pool["default_quota"]:
            raise errors.Conflict("Per-tenant subnet pool prefix quota exceeded.", kind="SubnetPoolQuotaExceeded")


def _first_free(whole, taken: list, length: int) -> str | None:
    """The first network with a length in ``whole`` that overlaps no network in ``taken``."""
    if length < whole.prefixlen:
        return None
    size, at, end = 1 << (whole.max_prefixlen - length), int(whole[0]), int(whole[-1])
    spans = sorted((int(n[0]), int(n[-1])) for n in taken if n.version == whole.version and n.overlaps(whole))
    for low, high in spans:
        if at + size - 1 < low:
            break
        at = max(at, (high // size + 1) * size)
    return str(ipaddress.ip_network((at, length))) if at + size - 1 <= end else None


SUBNETPOOLS = SubnetPools()
