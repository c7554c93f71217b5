"""Chooses and claims the target of a migration, resize or evacuation, in addition to the server's own host.

A resize may leave the server on its host, which then needs room only for the additional resources.
"""

import random
import time

import sqlalchemy as sa

from common import db, errors, guest_needs
from common.server_states import RESIZE_MIGRATING
from conductor.db import allocations, machine, models, resizes, server_migrations
from scheduler.placement import AgainstGroup, HostFull, Placement
from scheduler.rpcapi import request_spec

TABLE = models.instances
# {type of a migration: what the hypervisor of its target must support}
_HYPERVISOR_NEEDS = {"resize": (guest_needs.RESIZE,), "migration": (guest_needs.RESIZE,),
                     "live-migration": (guest_needs.LIVE_MIGRATION,)}
_BEGUN = {"migration": server_migrations.MIGRATING, "resize": server_migrations.MIGRATING,
          "live-migration": server_migrations.LIVE_PREPARING}  # what the status becomes with the claim
_ACTIONS = {"migration": "migrate", "resize": "resize"}  # by the type of their migrations


def claim(placement: Placement, uuid: str, attempt: int, migration_id: int, requested_host: str | None, *,
          force: bool = False) -> str | None:
    """Claim a host for a migration. Repeatable: returns the host that was claimed first.

    :param attempt: of the server; if it is in another one, nothing is claimed
    :param requested_host: the only host allowed; None: any
    :param force: claim the requested host if it has room, without the filters and the server's group
    :returns: the host; None: the server is in another attempt or does not exist, or the migration has ended
    :raises NoValidHost: nothing was claimed
    """
    for number in range(placement.CLAIM_TRIES):
        with placement.db.reader() as connection:
            row, migration = server_migrations.get_with_server(connection, migration_id)
            if row is None or migration is None or (row["uuid"], row["attempt"]) != (uuid, attempt) or (
                    migration["status"] not in server_migrations.OPEN):
                return None
            spec = _spec(row, migration, requested_host)
            resolved = placement.resolve(connection, spec)
        if migration["dest_host"]:
            return migration["dest_host"]
        candidates = _candidates(placement, migration)
        host = _forced(candidates, requested_host) if force else placement.choose(candidates, resolved)
        try:
            chosen = placement.db.transact(_claim, placement, host, row, migration, resolved, force)
        except (AgainstGroup, HostFull):
            if force:
                raise errors.NoValidHost(reason=f"Host {requested_host} has no room for the server.") from None
            time.sleep(random.uniform(0, 0.01) * number)
            continue
        except errors.Superseded:
            return None
        if chosen == host["host"] != migration["source_host"]:
            placement.remember(host, spec)
        return chosen
    raise errors.ServiceUnavailable(part="the scheduler: too many requests compete for the same hosts")


def _forced(others: list[dict], requested_host: str | None) -> dict:
    found = next((h for h in others if h["host"] == requested_host), None)
    if found is None:
        raise errors.NoValidHost(reason=f"There is no host {requested_host} besides the one that the server is on.")
    return found


def _candidates(placement: Placement, migration: dict) -> list[dict]:
    """The hosts for the filters. The usage of the server's own host does not include the server.

    :raises NoValidHost: there is no other host, and the server cannot stay
    """
    found, own = placement.hosts(fresh=True), migration["source_host"]
    if migration["type"] == "resize" and placement.conf.compute.allow_resize_to_same_host:
        return [{**h, **_without_own_part(h, migration)} if h["host"] == own else h for h in found]
    others = [h for h in found if h["host"] != own]
    if not others:
        raise errors.NoValidHost(reason="There is no host besides the one that the server is on.")
    return others


def _without_own_part(host: dict, migration: dict) -> dict:
    old, new = (server_migrations.part(migration[name]) for name in ("old_flavor", "new_flavor"))
    both = server_migrations.both(old, new)
    return {total: host[total] + both[name] - old[name] - new[name] for name, total in allocations.TOTALS.items()}


def _spec(row: dict, migration: dict, requested_host: str | None) -> dict:
    """The host that was requested at boot, and the hosts that failed to build the server, are irrelevant."""
    new = request_spec({**row, **resizes.columns_of(migration["new_flavor"])})
    needs = [*(new["hypervisor_needs"] or ()), *_HYPERVISOR_NEEDS.get(migration["type"], ())]
    return {**new, "tried_hosts": [], "requested_host": requested_host, "hypervisor_needs": needs}


def _claim(connection, placement: Placement, host: dict, row: dict, migration: dict, spec: dict,
           force: bool) -> str | None:
    """The update of the migration's row comes first: it serializes concurrent requests, and what follows may undo it by raising.

    :raises Superseded: the server is in another attempt
    """
    begun = {"status": _BEGUN[migration["type"]]} if migration["type"] in _BEGUN else {}
    if not server_migrations.set_target(connection, migration["id"], host["host"], **begun):
        now = server_migrations.get(connection, migration["id"])
        return now["dest_host"] if now and now["status"] in server_migrations.OPEN else None
    if not force:
        placement.check_group(connection, host, spec)
    if not _mark(connection, row, migration):
        raise errors.Superseded()
    if not _claim_host(connection, host, row["uuid"], migration, spec, placement.limits(host)):
        raise HostFull
    return host["host"]


def _mark(connection, row: dict, migration: dict) -> bool:
    """Lock the server in its attempt, and record that it has a target. False: it is in another attempt."""
    action = _ACTIONS.get(migration["type"])
    if action:
        return machine.advance(connection, row["uuid"], action, RESIZE_MIGRATING, row["attempt"])
    return connection.execute(sa.update(TABLE).where(TABLE.c.uuid == row["uuid"], TABLE.c.attempt == row["attempt"]).values(
        updated_at=db.now())).rowcount > 0


def _claim_host(connection, host: dict, uuid: str, migration: dict, spec: dict, limits: dict) -> bool:
    if host["host"] != migration["source_host"]:
        return allocations.claim(connection, host, uuid, spec, limits)
    parts = (server_migrations.part(migration[name]) for name in ("old_flavor", "new_flavor"))
    return allocations.change(connection, uuid, host["host"], server_migrations.both(*parts), limits)
