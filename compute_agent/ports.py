"""A server's ports, through the network service's REST API."""

import collections.abc
import logging
import re

from common import errors, guest_hardware, server_resources
from common.rest import path

LOG = logging.getLogger(__name__)
OWNER = "compute:nova"
TRIES, PLUG_TRIES = 5, 3
Check = collections.abc.Callable[[], object]


def _dns_name(hostname: str) -> str:
    """The host's part of a server's host name, which may be a domain name, and have characters that names in DNS do not have."""
    return re.sub("[^a-z0-9-]+", "-", hostname.partition(".")[0].lower())[:63].strip("-")


def has_queues(instance: dict) -> bool:
    """Whether the interfaces of a server's guest have several queues."""
    try:
        return guest_hardware.of_server(instance).vif_queues > 1
    except errors.BadRequest as error:
        raise errors.StepFailed(reason=str(error)) from error


class Ports:
    def __init__(self, rest, host: str):
        self.rest, self.host = rest, host

    def build(self, instance: dict, wanted: list[dict], *, again: bool, check: Check) -> list[dict]:
        """Make (or bind) a port for each network wanted, plugged on this host.

        :param again: an earlier try, or another host, may have made some; those are found and used
        :param check: raises Superseded where the server is another host's by now. Ports that are there are read before it is
            called, and taken only as they were read: a host that is late takes none from the one that builds the server now
        :raises StepFailed: the network service refuses, or could not plug a port
        """
        for left in reversed(range(PLUG_TRIES)):
            try:
                made = self._retry_on_conflict(self._build_once, instance, wanted, again, check)
            except (errors.BadRequest, errors.NotFound, errors.Conflict, errors.Forbidden) as error:
                if isinstance(error, errors.Superseded):
                    raise
                raise errors.StepFailed(reason=f"The network service refused a port: {error}") from error
            if all(self._is_plugged(port) for port in made):
                break
            LOG.warning("a port of instance %s could not be plugged, %d tries are left", instance["uuid"], left)
            again = True  # its network agent may have been restarted in that moment
        for port in made:
            self._check_plugged(port)
        return made

    def _build_once(self, instance: dict, wanted: list[dict], again: bool, check: Check) -> list[dict]:
        left = [p for p in server_resources.ports_of(self.rest, instance["uuid"]) if p["project_id"] == instance["project_id"]
                ] if again else []
        own = {i["port"]: self.rest.request("GET", "network", path("/v2.0/ports/{id}", i["port"]))["port"]
               for i in wanted if i.get("port")}
        if left or own:
            check()
        made: list[dict] = []
        for item in wanted:
            known = own[item["port"]] if item.get("port") else next(
                (p for p in left if p["network_id"] == item["uuid"] and p["id"] not in {*own, *(m["id"] for m in made)}), None)
            if known and self._is_bound_here(known) and known["device_id"] == instance["uuid"] and not (
                    server_resources.as_queues(known, has_queues(instance))):
                made.append(known)
            else:
                made.append(self._make(instance, item, known))
        return made

    def release(self, instance: dict, *, check: Check | None) -> None:
        """Delete or unbind the ports of a server: all of them, or without ``check`` those alone that this host bound.

        :param check: raises Superseded where the server is another host's by now
        """
        self._retry_on_conflict(self._release_once, instance, check)

    def _release_once(self, instance: dict, check: Check | None) -> None:
        ports = server_resources.ports_of(self.rest, instance["uuid"])
        if check is None:
            ports = [p for p in ports if p["binding:host_id"] == self.host]
        elif ports:
            check()
        own = server_resources.preexisting_ports(instance)
        for port in ports:
            server_resources.release_port(self.rest, port["id"], keep=server_resources.is_preexisting(port, own),
                                          as_read=port)

    @staticmethod
    def _retry_on_conflict(work, *args):
        """Read and write again where somebody else wrote between."""
        for left in reversed(range(TRIES)):
            try:
                return work(*args)
            except errors.PreconditionFailed as error:
                if not left:
                    raise errors.ServiceUnavailable(part="the network service: a port changes all the time") from error

    def attach(self, instance: dict, item: dict) -> dict:
        """As ``build``, one port for a server that runs.

        :raises BadRequest: another server has the port or the address
        """
        try:
            known = {"id": item["port"]} if item.get("port") else None
            port = self._make(instance, item, known)
        except errors.Conflict as error:
            raise errors.BadRequest(str(error)) from error
        self._check_plugged(port)
        return port

    @staticmethod
    def _is_plugged(port: dict) -> bool:
        return port["binding:vif_type"] != "binding_failed"

    def _check_plugged(self, port: dict) -> None:
        if not self._is_plugged(port):
            raise errors.StepFailed(reason=f"Port {port['id']} could not be plugged on host {self.host}.")

    def _is_bound_here(self, port: dict) -> bool:
        return port["status"] == "ACTIVE" and port["binding:host_id"] == self.host

    def _make(self, instance: dict, item: dict, known: dict | None) -> dict:
        """Bind a port that is known, as it was read, or make a new one."""
        owner = {"device_id": instance["uuid"], "device_owner": OWNER, "binding:host_id": self.host,
                 **server_resources.as_queues(known or {}, has_queues(instance))}
        if known:
            headers = server_resources.if_match(known) if "revision_number" in known else None
            try:
                return self.rest.request("PUT", "network", path("/v2.0/ports/{id}", known["id"]), body={"port": owner},
                                         headers=headers, timeout_s=60)["port"]
            except errors.NotFound:
                if item.get("port"):
                    raise
                raise errors.PreconditionFailed() from None  # whoever had made it has just taken it away
        port = {**owner, "network_id": item["uuid"], "project_id": instance["project_id"],
                "dns_name": _dns_name(instance["hostname"])}
        if item.get("fixed_ip"):
            port["fixed_ips"] = [{"ip_address": item["fixed_ip"]}]
        groups = [g["id"] for g in instance["security_groups"] if g["id"]]
        if groups:
            port["security_groups"] = groups
        return self.rest.request("POST", "network", path("/v2.0/ports"), body={"port": port}, timeout_s=60)["port"]

    def move(self, instance: dict, *, check: Check, multiqueue: bool | None = None,
             as_read: list | None = None) -> list[dict]:
        """Bind a server's ports to this host, whichever had them; returns those that it still has.

        :param check: as of ``build``
        :param multiqueue: whether the guest that is to be started has several queues; None: it runs, and has what it has
        :param as_read: at most one result of ``existing``, after which the caller has checked; it is taken out
        :raises StepFailed: the network service refuses, or could not plug a port
        """
        return self._refused_is_failure(self._move_once, instance, check, multiqueue, as_read)

    def _refused_is_failure(self, work, *args):
        try:
            return self._retry_on_conflict(work, *args)
        except (errors.BadRequest, errors.Conflict, errors.Forbidden) as error:
            if isinstance(error, errors.Superseded):
                raise
            raise errors.StepFailed(reason=f"The network service refused a port: {error}") from error

    def existing(self, instance: dict) -> tuple[list[dict], list[dict]]:
        """Those of a server's ports that it still has: as its network_info has them, and as the network service shows them.

        A detachment that was interrupted on another host may have deleted one, or given it back to its owner, who may have
        given it to another server.
        """
        known = instance["network_info"]
        now = {p["id"]: p for p in server_resources.ports_of(self.rest, instance["uuid"])} if known else {}
        found = [port for port in known if port["id"] in now]
        if len(found) < len(known):
            LOG.warning("instance %s has no longer the ports %s: its guest is made without them", instance["uuid"],
                        sorted({p["id"] for p in known} - set(now)))
        return found, [now[port["id"]] for port in found]

    def have_other_queues(self, instance: dict, multiqueue: bool) -> bool:
        """Whether a guest would find ports with one queue where it has several, or the reverse."""
        return any(server_resources.as_queues(port, multiqueue) for port in self.existing(instance)[1])

    def _as_read(self, instance: dict, check: Check, as_read: list | None) -> tuple[list[dict], list[dict]]:
        if as_read:
            return as_read.pop()
        found = self.existing(instance)
        check()
        return found

    def _move_once(self, instance: dict, check: Check, multiqueue: bool | None, as_read: list | None) -> list[dict]:
        found, now = self._as_read(instance, check, as_read)
        for port in now:
            queues = {} if multiqueue is None else server_resources.as_queues(port, multiqueue)
            if not self._is_bound_here(port) or queues:
                body = {"port": {"binding:host_id": self.host, **queues}}
                port = self._as_was_read(self.rest.request, "PUT", "network", path("/v2.0/ports/{id}", port["id"]), body=body,
                                         headers=server_resources.if_match(port), timeout_s=60)["port"]
            self._check_plugged(port)
        return found

    @staticmethod
    def _as_was_read(change: collections.abc.Callable[..., dict], *args, **more) -> dict:
        """:raises PreconditionFailed: the port has changed since it was read, or is gone: all are read again"""
        try:
            return change(*args, **more)
        except errors.NotFound:
            raise errors.PreconditionFailed() from None

    def share(self, instance: dict, *, check: Check, as_read: list | None = None) -> tuple[list[dict], list[dict]]:
        """As ``move``, but the server's host keeps the ports too: a guest that runs there is coming here.

        :returns: as ``existing``, as they are then
        """
        return self._refused_is_failure(self._share_once, instance, check, as_read)

    def _share_once(self, instance: dict, check: Check, as_read: list | None) -> tuple[list[dict], list[dict]]:
        found, now = self._as_read(instance, check, as_read)
        shared = []
        for port in now:
            if not self._is_bound_here(port) and port["binding:profile"].get(server_resources.MIGRATING_TO) != self.host:
                port = self._as_was_read(server_resources.share_port, self.rest, port, self.host)
            self._check_plugged(port)
            shared.append(port)
        return found, shared

    def plug(self, instance: dict, *, check: Check, multiqueue: bool) -> list[dict]:
        """Have this host's network agent build a server's ports: taps, filters, DHCP; returns those that it still has.

        :param check: as of ``build``; ``multiqueue``: as of ``move``
        :raises ServiceUnavailable: one could not be plugged
        """
        return self._retry_on_conflict(self._plug_once, instance, check, multiqueue)

    def _plug_once(self, instance: dict, check: Check, multiqueue: bool) -> list[dict]:
        found, now = self.existing(instance)
        for as_read in now:
            check()
            body = {"port": {"binding:host_id": self.host, **server_resources.as_queues(as_read, multiqueue)}}
            port = self._as_was_read(self.rest.request, "PUT", "network", path("/v2.0/ports/{id}", as_read["id"]), body=body,
                                     headers=server_resources.if_match(as_read), timeout_s=60)["port"]
            if not self._is_plugged(port):
                raise errors.ServiceUnavailable(part=f"the network of host {self.host}")
        return found

    def network_info(self, ports: list[dict], wanted: list[dict], *, subnets: bool = False) -> list[dict]:
        """Network info of ports, as the compute database keeps it. ``subnets`` adds what config drives need.

        :param wanted: what each port was built for (as ``build`` was given); shorter where that is not known
        :raises StepFailed: a port's network is gone, and so is the port
        """
        if not ports:
            return []
        networks = {i["uuid"]: i["network"] for i in wanted if i.get("network")}
        if unknown := sorted({p["network_id"] for p in ports} - set(networks)):
            where = path("/v2.0/networks", query={"id": unknown})
            networks.update({n["id"]: n for n in self.rest.request("GET", "network", where)["networks"]})
            if gone := [network_id for network_id in unknown if network_id not in networks]:
                raise errors.StepFailed(reason=f"Network {gone[0]} could not be found.")
        detail = {}
        if subnets:
            ids = sorted({ip["subnet_id"] for p in ports for ip in p["fixed_ips"]})
            detail = {s["id"]: {"cidr": s["cidr"], "gateway": s["gateway_ip"], "dhcp": s["enable_dhcp"]}
                      for s in self.rest.request("GET", "network", path("/v2.0/subnets", query={"id": ids}))["subnets"]
                      } if ids else {}
        return [{"id": p["id"], "network_id": p["network_id"], "network_name": networks[p["network_id"]]["name"],
                 "mtu": networks[p["network_id"]]["mtu"], "mac_address": p["mac_address"], "floating_ips": [],
                 "tag": item.get("tag"),
                 "fixed_ips": [{**ip, **detail.get(ip["subnet_id"], {})} for ip in p["fixed_ips"]]}
                for p, item in zip(ports, wanted + [{}] * len(ports))]
