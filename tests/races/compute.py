"""Races for servers, their ports and volumes, key pairs, groups, flavors."""

from functools import partial

from common.periodic import wait_for
from tests.conftest import new_volume, volume_status
from tests.races import network as net
from tests.races.race import WIDTH, Race, kept, kind, once, over_quota, remove, word

COMPUTE = "compute"


def limit(resource: str) -> tuple:
    return COMPUTE, "/os-quota-sets/{project}", {"quota_set": {resource: "{limit}"}}


def server(race: Race, **values) -> dict:
    return {"name": "{n}", "flavorRef": "42", "imageRef": race.admin.find("image", "images", "cirros")["id"],
            "networks": "none", **values}


def settled(race: Race, made: list[str]) -> list[dict]:
    """These servers once nothing is under way with any of them."""
    def done():
        found = [s for s in race.member.call(COMPUTE, "GET", "/servers/detail")["servers"] if s["id"] in made]
        return found if found and not any(s["OS-EXT-STS:task_state"] or s["status"] == "BUILD" for s in found) else None
    return wait_for(done, 60, every_s=0.1, what="the servers") if made else []


def running(race: Race, count: int) -> list[str]:
    made = [race.member.call(COMPUTE, "POST", "/servers", {"server": server(race)})["server"]["id"] for _ in range(count)]
    settled(race, made)
    return made


def gone(race: Race, made: list[str]) -> None:
    for each in made:
        remove(race, COMPUTE, f"/servers/{each}")
    wait_for(lambda: not [s for s in race.member.call(COMPUTE, "GET", "/servers")["servers"] if s["id"] in made], 60,
             every_s=0.05, what="the servers to go")


def has_status(race: Race, volume: str, status: str) -> bool:
    return volume_status(race.member, volume) == status


def _servers_over(name: str, resource: str, most: int) -> None:
    @kind(f"{name} over quota")
    def run(race: Race) -> None:
        race.admin.call(COMPUTE, "PUT", f"/os-quota-sets/{race.member.project_id}", {"quota_set": {resource: most}})
        wanted = server(race)
        for _ in race.rounds():
            answers = race.same(race.member, COMPUTE, "POST", "/servers", {"server": wanted})
            made = [a["server"]["id"] for a in answers if a.ok]
            race.twice(len(made) - 1)
            gone(race, made)


_servers_over("instances", "instances", 1)
_servers_over("cores", "cores", 1)
_servers_over("memory", "ram", 128)
over_quota("server groups", COMPUTE, "os-server-groups", "server_group", lambda race, _: {
    "name": "{n}", "policies": ["anti-affinity"]}, limit("server_groups"))


@kind("key pairs over quota")
def key_pairs(race: Race) -> None:
    race.admin.call(COMPUTE, "PUT", f"/os-quota-sets/{race.member.project_id}", {"quota_set": {"key_pairs": 1}})
    public = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl x")
    for _ in race.rounds():
        answers = race.same(race.member, COMPUTE, "POST", "/os-keypairs", {"keypair": {"name": "k{n}", "public_key": public}})
        made = [a["keypair"]["name"] for a in answers if a.ok]
        race.twice(len(made) - 1)
        for each in made:
            race.ask(race.member, COMPUTE, "DELETE", f"/os-keypairs/{each}")


@kind("members of a server group over quota")
def group_members(race: Race) -> None:
    race.admin.call(COMPUTE, "PUT", f"/os-quota-sets/{race.member.project_id}", {"quota_set": {"server_group_members": 1}})
    group = race.member.call(COMPUTE, "POST", "/os-server-groups", {"server_group": {
        "name": word(), "policies": ["affinity"]}})["server_group"]["id"]
    wanted = server(race)
    for _ in race.rounds():
        answers = race.same(race.member, COMPUTE, "POST", "/servers", {
            "server": wanted, "os:scheduler_hints": {"group": group}})
        made = [a["server"]["id"] for a in answers if a.ok]
        race.twice(len(made) - 1)
        gone(race, made)


@kind("one port in two servers")
def one_port(race: Race) -> None:
    for _ in race.rounds():
        made = net.network(race)
        net.subnet(race, made, enable_dhcp=False)
        port = net.port(race, made)["id"]
        answers = race.same(race.member, COMPUTE, "POST", "/servers", {"server": server(race, networks=[{"port": port}])})
        servers = [a["server"]["id"] for a in answers if a.ok]
        race.twice(sum(s["status"] == "ACTIVE" for s in settled(race, servers)) - 1)
        gone(race, servers)
        net.sweep(race, made)


@kind("one port plugged into two running servers")
def one_interface(race: Race) -> None:
    servers, made = running(race, WIDTH), net.network(race)
    net.subnet(race, made, enable_dhcp=False)
    for _ in race.rounds():
        port = net.port(race, made)["id"]
        answers = race.together(*[partial(race.ask, race.member, COMPUTE, "POST", f"/servers/{s}/os-interface", {
            "interfaceAttachment": {"port_id": port}}) for s in servers])
        race.twice(sum(a.ok for a in answers) - 1)
        remove(race, "network", f"/ports/{port}")
    gone(race, servers)


@kind("one volume in two servers")
def one_volume(race: Race) -> None:
    servers = running(race, WIDTH)
    for _ in race.rounds():
        volume = new_volume(race.member, word())
        answers = race.together(*[partial(race.ask, race.member, COMPUTE, "POST", f"/servers/{s}/os-volume_attachments", {
            "volumeAttachment": {"volumeId": volume}}) for s in servers])
        race.twice(sum(a.ok for a in answers) - 1)
        holders = [s for s, a in zip(servers, answers) if a.ok]
        wait_for(partial(has_status, race, volume, "in-use"), 30, what="the attachment")
        for each in holders:
            race.ask(race.member, COMPUTE, "DELETE", f"/servers/{each}/os-volume_attachments/{volume}")
        wait_for(partial(has_status, race, volume, "available"), 30, what="the detachment")
        remove(race, "volume", f"/volumes/{volume}")
    gone(race, servers)


@kind("one server stopped twice at once")
def actions(race: Race) -> None:
    made = running(race, 1)
    for number in race.rounds():
        action = {"os-start": None} if number % 2 else {"os-stop": None}
        answers = race.same(race.member, COMPUTE, "POST", f"/servers/{made[0]}/action", action)
        race.twice(sum(a.ok for a in answers) - 1)
        settled(race, made)
    gone(race, made)


@kind("claims of servers deleted while they are placed")
def claims(race: Race) -> None:
    """When all are gone, the hosts hold what they held before."""
    def used() -> list[list[int]]:
        found = race.get(COMPUTE, "/os-hypervisors/detail")["hypervisors"]
        return [[h[k] for k in ("vcpus_used", "memory_mb_used", "running_vms")] for h in found]
    wanted, before = server(race), used()
    for _ in race.rounds():
        def live(n):
            made = race.ask(race.member, COMPUTE, "POST", "/servers", {"server": {**wanted, "name": f"s{n}"}})
            if made.ok:
                for _ in range(1 + n % 2):
                    race.ask(race.member, COMPUTE, "DELETE", f"/servers/{made['server']['id']}")
            return made
        answers = race.together(*[lambda n=n: live(n) for n in range(WIDTH)])
        gone(race, [a["server"]["id"] for a in answers if a.ok])
        after = used()
        race.twice(int(after != before))
        before = after


once("a key pair", COMPUTE, "/os-keypairs", lambda race: {"keypair": {"name": word(), "public_key": (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl x")}})
once("a flavor", COMPUTE, "/flavors", lambda race: {"flavor": {"name": word(), "ram": 1, "vcpus": 1, "disk": 1}})


def _flavor(race: Race) -> str:
    made = race.admin.call(COMPUTE, "POST", "/flavors", {"flavor": {"name": word(), "ram": 1, "vcpus": 1, "disk": 1}})
    return f"/flavors/{made['flavor']['id']}"


kept("extra specs of a flavor", COMPUTE, _flavor,
     lambda race, path, n: race.ask(race.admin, COMPUTE, "POST", f"{path}/os-extra_specs", {"extra_specs": {f"k{n}": "v"}}),
     lambda race, path: len(race.get(COMPUTE, f"{path}/os-extra_specs")["extra_specs"]))


def _kept_of_server(name: str, path: str, body, read) -> None:
    @kind(f"{name} kept")
    def run(race: Race) -> None:
        made = running(race, 1)
        for _ in race.rounds():
            race.ask(race.member, COMPUTE, "PUT", f"/servers/{made[0]}/{path}", {path: {} if path == "metadata" else []})
            answers = race.together(*[lambda n=n: body(race, f"/servers/{made[0]}/{path}", n) for n in range(WIDTH)])
            race.twice(sum(a.ok for a in answers) - len(read(race.get(COMPUTE, f"/servers/{made[0]}/{path}"))))
        gone(race, made)


_kept_of_server("metadata of a server", "metadata", lambda race, path, n: race.ask(
    race.member, COMPUTE, "POST", path, {"metadata": {f"k{n}": "v"}}), lambda found: found["metadata"])
_kept_of_server("tags of a server", "tags", lambda race, path, n: race.ask(
    race.member, COMPUTE, "PUT", f"{path}/t{n}"), lambda found: found["tags"])


@kind("limits of a project kept")
def limits(race: Race) -> None:
    names = ["instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members", "cores"]
    for number in race.rounds():
        wanted = {n: 1000 + number for n in names}
        answers = race.together(*[partial(race.ask, race.admin, COMPUTE, "PUT", f"/os-quota-sets/{race.member.project_id}", {
            "quota_set": {n: wanted[n]}}) for n in names])
        found = race.get(COMPUTE, f"/os-quota-sets/{race.member.project_id}")["quota_set"]
        race.twice(sum(a.ok and found[n] != wanted[n] for n, a in zip(names, answers)))
