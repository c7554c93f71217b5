"""Everything that may be asked of a server, by several clients at once: afterwards nothing is stuck, lost or counted wrongly.

The actions are those that the API knows; a new one needs its arguments here.
"""

import pathlib
import random
import threading
import time

from common import server_states
from common.periodic import wait_for
from compute_api.handlers import actions
from deploy.audit import Auditor
from tests.conftest import new_volume
from tests.races import compute
from tests.races import network as net
from tests.races.race import WIDTH, Answer, Race, kind, word

COMPUTE, NET, VOLUME = "compute", "network", "volume"
CROWDED = 3  # servers, so that operations meet on each and the hosts are shared
FEWEST = 6  # requests of each client
SETTLE_S = 120
ARGUMENTS = {
    **dict.fromkeys(("os-start", "os-stop", "pause", "unpause", "suspend", "resume", "unrescue", "migrate", "confirmResize",
                     "revertResize", "shelve", "shelveOffload", "unshelve", "lock", "unlock", "trigger_crash_dump",
                     "injectNetworkInfo", "os-getConsoleOutput")),
    "reboot": {"type": "HARD"}, "rebuild": {"imageRef": "{image}"}, "rescue": {}, "resize": {"flavorRef": "{flavor}"},
    "os-migrateLive": {"host": None, "block_migration": "auto"}, "createImage": {"name": "crowd"},
    "createBackup": {"name": "crowd", "backup_type": "daily", "rotation": 1}, "changePassword": {"adminPass": "x"},
}
# What ends the server, or changes what a failure would be seen by; what needs a host that is down; proxies of other services.
LEFT_OUT = {"forceDelete", "restore", "os-resetState", "evacuate", "os-getVNCConsole", "os-getSPICEConsole",
            "os-getSerialConsole", "addSecurityGroup", "removeSecurityGroup", "addFloatingIp", "removeFloatingIp", "addFixedIp",
            "removeFixedIp"}
assert set(ARGUMENTS) | LEFT_OUT == set(actions.NAMES), set(ARGUMENTS) ^ set(actions.NAMES) - LEFT_OUT
# {action of the API: vm_states from which it may begin}; the others may be asked for at any time.
FITTING = {name: frozenset(server_states.ACTIONS[known].ends or ()) for name in ARGUMENTS
           if (known := name.removeprefix("os-") if name != "os-migrateLive" else name) in server_states.ACTIONS}
ATTACHABLE = (server_states.ACTIVE, server_states.STOPPED, server_states.SHELVED_OFFLOADED)
HOSTS = {"fake-host": "instances", "fake-host-2": "hosts/fake-host-2/instances"}
_BY_ADMIN = {"migrate", "os-migrateLive", "shelveOffload", "injectNetworkInfo"}


class Crowd:
    """Clients that ask for anything of a few servers, which are made anew when they are deleted."""

    def __init__(self, race: Race):
        self.race, self.servers = race, [""] * CROWDED
        self.image = race.admin.find("image", "images", "cirros")["id"]
        self.network = net.network(race)
        net.subnet(race, self.network, enable_dhcp=False)
        kind = race.admin.call(VOLUME, "POST", "/types", {"volume_type": {
            "name": word(), "extra_specs": {"multiattach": "<is> True"}}})["volume_type"]["id"]
        self.volumes = [*(new_volume(race.member, word()) for _ in range(2)), new_volume(race.member, word(), volume_type=kind)]
        self.flavors = ["42", race.admin.find(COMPUTE, "flavors", "m1.tiny")["id"]]
        self._made = threading.Lock()
        self.asked: list[str] = []

    def ask(self, rng: random.Random) -> Answer:
        at = rng.randrange(CROWDED)
        with self._made:
            uuid = self.servers[at]
            if not uuid:
                made = self.race.ask(self.race.member, COMPUTE, "POST", "/servers", {"server": compute.server(
                    self.race, networks=[{"uuid": self.network}] if rng.random() < 0.5 else "none")})
                self.servers[at] = made["server"]["id"] if made.ok else ""
                return made
        what = rng.random()
        if what < 0.015:
            return self._delete(at, uuid)
        if what < 0.1:
            return self._device(rng, uuid)
        if what < 0.14:
            return self._migration(rng, uuid)
        if what < 0.75:  # what it is ready for, until another client is faster
            known = self.race.ask(self.race.admin, COMPUTE, "GET", f"/servers/{uuid}")
            state = known["server"]["OS-EXT-STS:vm_state"] if known.ok else ""
            fitting = [name for name, states in FITTING.items() if state in states]
            if state in ATTACHABLE and rng.random() < 0.4:
                return self._device(rng, uuid)
            if fitting:
                return self._act(rng, uuid, rng.choice(fitting))
        name = rng.choice(tuple(ARGUMENTS))
        return self._act(rng, uuid, "unlock" if name == "lock" and rng.random() < 0.7 else name)

    def _delete(self, at: int, uuid: str) -> Answer:
        answer = self._say(uuid, "delete", self.race.ask(self.race.member, COMPUTE, "DELETE", f"/servers/{uuid}"))
        with self._made:
            if self.servers[at] == uuid:
                self.servers[at] = ""
        return answer

    def _device(self, rng: random.Random, uuid: str) -> Answer:
        member, volume, path = self.race.member, rng.choice(self.volumes), f"/servers/{uuid}"
        method = rng.choice(("POST", "DELETE"))
        if rng.random() < 0.6:
            if method == "POST":
                return self._say(uuid, "attach", self.race.ask(member, COMPUTE, "POST", f"{path}/os-volume_attachments", {
                    "volumeAttachment": {"volumeId": volume}}, version="2.60"))
            return self._say(uuid, "detach", self.race.ask(member, COMPUTE, "DELETE", f"{path}/os-volume_attachments/{volume}"))
        if method == "POST":
            return self._say(uuid, "plug", self.race.ask(member, COMPUTE, "POST", f"{path}/os-interface", {
                "interfaceAttachment": {"net_id": self.network}}))
        known = self.race.ask(member, COMPUTE, "GET", f"{path}/os-interface")
        ports = [p["port_id"] for p in known["interfaceAttachments"]] if known.ok else []
        return self._say(uuid, "unplug", self.race.ask(member, COMPUTE, "DELETE", f"{path}/os-interface/{rng.choice(ports)}")
                         ) if ports else known

    def _migration(self, rng: random.Random, uuid: str) -> Answer:
        known = self.race.ask(self.race.admin, COMPUTE, "GET", f"/servers/{uuid}/migrations")
        for each in known["migrations"] if known.ok else ():
            path = f"/servers/{uuid}/migrations/{each['id']}"
            if rng.random() < 0.5:
                return self._say(uuid, "abort", self.race.ask(self.race.admin, COMPUTE, "DELETE", path))
            return self._say(uuid, "force", self.race.ask(self.race.admin, COMPUTE, "POST", f"{path}/action", {
                "force_complete": None}))
        return known

    def _act(self, rng: random.Random, uuid: str, name: str) -> Answer:
        chosen = {"{image}": self.image, "{flavor}": rng.choice(self.flavors)}
        arguments = ARGUMENTS[name]
        if arguments:
            arguments = {k: chosen.get(v, v) for k, v in arguments.items()}  # type: ignore[call-overload]
        client = self.race.admin if name in _BY_ADMIN else self.race.member
        return self._say(uuid, name, self.race.ask(client, COMPUTE, "POST", f"/servers/{uuid}/action", {name: arguments}))

    def _say(self, uuid: str, name: str, answer: Answer) -> Answer:
        self.asked.append(f"{time.time():.3f} {uuid} {name}: {answer.status}")
        return answer


def settled(race: Race) -> list[dict]:
    """The project's servers once nothing is under way with any."""
    def done():
        found = race.member.call(COMPUTE, "GET", "/servers/detail")["servers"]
        busy.clear()
        busy.extend((s["id"], s["status"], s["OS-EXT-STS:task_state"]) for s in found
                    if s["OS-EXT-STS:task_state"] or s["status"] == "BUILD")
        return not busy and [found]
    busy: list[tuple] = []
    try:
        return wait_for(done, SETTLE_S, every_s=0.3, what="the servers")[0]
    except TimeoutError:
        raise AssertionError(f"stuck: {busy}") from None


def quotas(race: Race, servers: list[dict]) -> list[str]:
    """Where what is counted is not what is there."""
    member, project = race.member, race.member.project_id
    held = [s["flavor"] for s in servers]
    limits = member.call(COMPUTE, "GET", "/limits")["limits"]["absolute"]
    volumes = member.call(VOLUME, "GET", "/volumes/detail")["volumes"]
    of_volumes = race.get(VOLUME, f"/os-quota-sets/{project}?usage=True")["quota_set"]
    of_network = race.get(NET, f"/quotas/{project}/details.json")["quota"]
    ports = [p for p in race.get(NET, f"/ports?project_id={project}")["ports"] if p["project_id"] == project]
    pairs = {"instances": (limits["totalInstancesUsed"], len(servers)),
             "volumes": (of_volumes["volumes"]["in_use"] + of_volumes["volumes"]["reserved"], len(volumes)),
             "gigabytes": (of_volumes["gigabytes"]["in_use"] + of_volumes["gigabytes"]["reserved"],
                           sum(v["size"] for v in volumes)),
             "ports": (of_network["port"]["used"] + of_network["port"]["reserved"], len(ports))}
    if not any(s["status"] == "VERIFY_RESIZE" for s in servers):  # which hold what their former flavor needs, too
        pairs |= {"cores": (limits["totalCoresUsed"], sum(f["vcpus"] for f in held)),
                  "memory": (limits["totalRAMUsed"], sum(f["ram"] for f in held))}
    return [f"{name}: {counted} are counted of {there}" for name, (counted, there) in pairs.items() if counted != there]


def audited(race: Race) -> None:
    left: list[str] = []

    def clean() -> bool:
        left[:] = [f"{f.kind} {f.what} {f.text}" for f in Auditor(race.cloud.state, stuck_s=0).run()
                   if f.kind != "host"]  # the second one can be asked only within the cloud's process
        return not left
    try:
        wait_for(clean, 40, every_s=0.5, what="a clean audit")
    except TimeoutError:
        raise AssertionError(f"the audit finds {left}") from None


def misplaced(race: Race, servers: list[dict]) -> list[str]:
    """Guests that are not where their servers are."""
    ids = [s["id"] for s in servers]
    shown = [s for s in race.get(COMPUTE, "/servers/detail?all_tenants=1")["servers"] if s["id"] in ids]
    found = {host: {p.parent.name for p in pathlib.Path(race.cloud.state, home).glob("*/guest.json")}
             for host, home in HOSTS.items()}
    faults = []
    for each in shown:
        expected, at = each["OS-EXT-SRV-ATTR:host"], [host for host, guests in found.items() if each["id"] in guests]
        if at != ([expected] if expected else []) and each["status"] not in ("VERIFY_RESIZE", "ERROR"):
            faults.append(f"the guest of server {each['id']}, {each['status']} on {expected}, is on {at}")
    return faults


def _images_of_nobody(race: Race) -> list[tuple]:
    """That wait for their data, or are of servers that are not shelved any more."""
    found = race.member.call("image", "GET", "/images?limit=1000&visibility=private")["images"]
    return [(i["name"], i["status"]) for i in found if i["status"] != "active" or i["name"].endswith("-shelved")]


def hosts_use(race: Race) -> list[tuple]:
    return sorted((h["hypervisor_hostname"], h["vcpus_used"], h["memory_mb_used"], h["local_gb_used"], h["running_vms"])
                  for h in race.get(COMPUTE, "/os-hypervisors/detail")["hypervisors"])


@kind("a crowd asks for everything of some servers")
def crowd(race: Race) -> None:
    before, there = hosts_use(race), Crowd(race)

    def client(number: int) -> Answer:
        rng, answer = random.Random(f"{race.seed} {number}"), Answer(500, {})
        for _ in range(max(FEWEST, race.tries // WIDTH)):
            answer = min(answer, there.ask(rng), key=lambda a: a.status)
            time.sleep(rng.choice((0, 0.05, 0.3, 1)))
        return answer
    race.together(*[lambda n=n: client(n) for n in range(WIDTH)])
    try:
        servers = settled(race)
        audited(race)
        race.broken += quotas(race, servers) + misplaced(race, servers)
        stuck = [(s["id"], s.get("fault", {}).get("message")) for s in servers if s["status"] == "ERROR"]
        race.broken += [f"server {uuid} failed: {why}" for uuid, why in stuck]
        for each in servers:
            race.ask(race.admin, COMPUTE, "POST", f"/servers/{each['id']}/action", {"unlock": None})
        compute.gone(race, [s["id"] for s in servers])
        for each in there.volumes:
            wait_for(lambda each=each: compute.has_status(race, each, "available"), 30, what="the volume to be free")
            race.ask(race.member, VOLUME, "DELETE", f"/volumes/{each}")
        wait_for(lambda: not race.member.call(VOLUME, "GET", "/volumes")["volumes"], 30, what="the volumes to go")
        wait_for(lambda: not _images_of_nobody(race), 30, what=f"the images {_images_of_nobody(race)} to go")
        audited(race)
        race.broken += quotas(race, [])
        try:  # what a migration holds of the host that it left is given back after the server is gone
            wait_for(lambda: hosts_use(race) == before, 30, every_s=0.5, what="the hosts to hold what they held")
        except TimeoutError:
            race.broken.append(f"the hosts hold {hosts_use(race)}, not {before}")
    except (AssertionError, TimeoutError) as error:
        raise AssertionError(f"{error}, after\n" + "\n".join(there.asked[-1000:])) from error
