"""The form that launches instances. It begins with what fits, so that pressing its button is enough."""

import base64
import dataclasses
import typing

from common import errors
from common.rest import path
from dashboard import cloud_init, forms, session
from dashboard.asks import Ask, do, get, together, undo
from dashboard.forms import Field
from dashboard.panel import Create, Page, Partly, Row
from dashboard.panels import launch_text, reach
from dashboard.panels.fields import memory, sized
from dashboard.panels.instance_actions import flavor_options
from dashboard.panels.launch_request import NEW_KEY, USER_DATA_BYTES, body
from dashboard.panels.networks import port_options, usable
from dashboard.texts import Text

_SOURCES = (("image", "Image"), ("new-volume", "Image, copied to a new volume"), ("volume", "Volume"),
            ("snapshot", "Volume snapshot, copied to a new volume"))
_FITS = ("flavor", "image", "source", "count")  # which flavors fit depends on the others
_COUNT = Field("count", "Count", "number", True, initial=1, low=1, high=100, refreshes=_FITS)


def _asks(req) -> dict:
    own = session.required(req).project_id
    return together(
        req, images=get("image", path("/v2/images", query={"status": "active", "limit": 1000}), "images"),
        flavors=get("compute", path("/v2.1/flavors/detail"), "flavors"),
        limits=get("compute", path("/v2.1/limits"), "limits", instead={}),
        volumes=get("volume", path("/v3/volumes/detail", query={"status": "available", "bootable": "true", "limit": 1000}),
                    "volumes", instead=[]),
        snapshots=get("volume", path("/v3/snapshots", query={"status": "available", "limit": 1000}), "snapshots", instead=[]),
        networks=get("network", path("/v2.0/networks"), "networks"),
        ports=get("network", path("/v2.0/ports", query={"device_id": "", "project_id": own}), "ports"),
        groups=get("network", path("/v2.0/security-groups", query={"project_id": own}), "security_groups"),
        keys=get("compute", path("/v2.1/os-keypairs"), "keypairs"),
        zones=get("compute", path("/v2.1/os-availability-zone"), "availabilityZoneInfo"),
        server_groups=get("compute", path("/v2.1/os-server-groups"), "server_groups"))


@dataclasses.dataclass(frozen=True)
class Room:
    """What a flavor must fit into: the rest of the project's quota, and what the image needs.

    :param image: that was chosen, if the source is one
    :param on_disk: whether the image is copied to the flavor's disk
    """

    limits: dict
    image: Row | None
    on_disk: bool
    count: int

    def _left(self, of: str, used: str) -> float:
        most = self.limits.get(of, -1)
        return float("inf") if most < 0 else most - self.limits.get(used, 0)

    def lacks(self, flavor: Row) -> str:
        """Why a flavor does not fit, or nothing."""
        instances = self._left("maxTotalInstances", "totalInstancesUsed")
        if self.count > instances:
            return Text("your quota has {left} instances left", left=f"{max(0, instances):g}")
        vcpus = self._left("maxTotalCores", "totalCoresUsed")
        if flavor["vcpus"] * self.count > vcpus:
            return Text("your quota has {left} VCPUs left", left=f"{max(0, vcpus):g}")
        ram = self._left("maxTotalRAMSize", "totalRAMUsed")
        if flavor["ram"] * self.count > ram:
            return Text("your quota has {left} RAM left", left=memory(max(0, int(ram))))
        if not self.image:
            return ""
        if flavor["ram"] < (self.image.get("min_ram") or 0):
            return Text("the image needs {size} RAM", size=memory(self.image["min_ram"]))
        size = -(-max(self.image.get("virtual_size") or 0, self.image.get("size") or 0) // 2**30)
        needed = max(self.image.get("min_disk") or 0, size if self.image.get("virtual_size") else 0)
        if self.on_disk and flavor["disk"] and flavor["disk"] < needed:
            return Text("the image needs {size} GiB disk", size=needed)
        return ""


def _count(req) -> int:
    try:
        return _COUNT.read(forms.Fields([("count", session.asked(req, "count"))]))
    except ValueError:
        return 1


def _flavor(req, found: dict, image: Row | None, source: str) -> Field:
    """Flavors, those that do not fit with the reason. The smallest that fits is chosen already."""
    room = Room(found["limits"].get("absolute", {}), image if source in ("image", "new-volume") else None, source == "image",
                _count(req))
    options = flavor_options(found["flavors"])
    unfit = {f["id"]: reason for f in found["flavors"] if (reason := room.lacks(f))}
    # Only a script of the form itself can say what was chosen before: other sites' links cannot.
    before = req.GET.get("flavor", "") if req.headers.get("HX-Request") else ""
    fitting = [id for id, _ in options if id not in unfit]
    return Field("flavor", "Flavor", "choice", True, section="Hardware", options=options, unfit=unfit,
                 initial=before if before in fitting else next(iter(fitting), ""),
                 help="" if fitting or not options else "No flavor fits: the list says why.")


def _first_network(req, networks: list[Row]) -> list[str]:
    """The network that is chosen already: that of the link, or the project's own before shared ones."""
    linked = [n["id"] for n in networks if n["id"] == req.GET.get("network")]
    ordered = sorted((n for n in networks if n.get("subnets", True)), key=lambda n: (bool(n["shared"]), n["name"].lower()))
    return linked or [n["id"] for n in ordered[:1]]


def _fields(req) -> list[Field]:
    found = _asks(req)
    images = [i for i in found["images"] if i["container_format"] not in ("aki", "ari")]
    networks = usable(found["networks"], session.required(req).project_id)
    source = session.asked(req, "source") or next((k for k in ("volume", "snapshot") if req.GET.get(k)), "image")
    options = forms.named(images)
    chosen = session.asked(req, "image") or next((id for id, _ in options), "")
    image = next((i for i in images if i["id"] == chosen), None)
    return [
        Field("name", "Name", required=True), Field("description", "Description"),
        _COUNT,
        Field("zone", "Availability zone", "choice", blank="Any", options=[
            (z["zoneName"], z["zoneName"]) for z in found["zones"] if z["zoneState"]["available"]]),
        Field("source", "Boot from", "choice", True, section="Source", options=_SOURCES, initial=source, refreshes=_FITS),
        Field("image", "Image", "choice", options=options, initial=chosen, preset=True,
              refreshes=_FITS, when="source=image,new-volume"),
        Field("volume", "Volume", "choice", options=sized(found["volumes"]), preset=True,
              when="source=volume"),
        Field("snapshot", "Volume snapshot", "choice", options=sized(found["snapshots"]), preset=True,
              when="source=snapshot"),
        Field("volume_gb", "Size of the new volume in GiB", "number", low=1, high=100000, when="source=new-volume,snapshot"),
        Field("delete_volume", "Delete the volume with the instance", "check", when="source=new-volume,volume,snapshot"),
        _flavor(req, found, image, source),
        Field("networks", "Networks", "many", section="Network", options=forms.named(networks),
              initial=_first_network(req, networks), help="None: the project's network, if it has only one."),
        Field("ports", "Ports", "many", options=port_options(found["ports"])),
        *_access(req, found),
        Field("user_data", "User data", "area", section="Configuration", folded=True, rows=6, max_length=USER_DATA_BYTES,
              placeholder="#cloud-config",
              help="A script (#!) or cloud-config (#cloud-config) that the instance runs at its first boot."),
        Field("metadata", "Metadata", "area", help="One key=value per line.", max_length=20000),
        Field("config_drive", "Configuration drive", "check"),
        Field("server_group", "Server group", "choice", section="Placement", folded=True, blank="None",
              options=forms.named(found["server_groups"])),
        Field("hints", "Scheduler hints", "area", rows=2, help="One key=value per line.", max_length=4000)]


def _access(req, found: dict) -> list[Field]:
    """How it is reached. Who has no key pair yet is new here, and gets everything that is needed to log in."""
    keys = [k["keypair"]["name"] for k in found["keys"]]
    outside = [n for n in found["networks"] if n["router:external"]]
    usual = [g for g in found["groups"] if g["name"] == "default"]
    fields = [
        Field("groups", "Security groups", "many", section="Access", options=forms.named(found["groups"]),
              initial=[g["id"] for g in usual]),
        Field("ssh", Text("Allow SSH from my address ({address})", address=req.remote_addr or "–"), "check",
              initial=not keys and not reach.allows_ssh(usual), help="By the security group “ssh”, which gets a rule for it.")]
    if outside:
        fields.append(Field("floating", "Give it a floating IP, so that it is reached from outside", "check", initial=not keys))
    return [*fields,
            Field("key_name", "Key pair", "choice", blank="None", options=[
                *((k, k) for k in keys), (NEW_KEY, Text("A new one, whose private key is downloaded once"))],
                initial=NEW_KEY if not keys else keys[0] if len(keys) == 1 else ""),
            Field("public_key", "Or your public key", "area", rows=2, max_length=16000, placeholder="ssh-ed25519 AAAA…",
                  help="The content of a file such as ~/.ssh/id_ed25519.pub. It becomes a key pair.")]


def _outside(req) -> str:
    """The id of the network that floating IPs come from."""
    found = together(req, networks=Ask("network", path("/v2.0/networks", query={"router:external": "true"}), "networks"))
    networks = sorted(found["networks"], key=lambda n: (not n.get("is_default"), n["name"]))
    if not networks:
        raise forms.Refused({"floating": Text("There is no external network.")})
    return networks[0]["id"]


def _run(req, values: dict) -> str | Page:
    """Launch, with everything that was asked for beside it. What was made for an instance that is refused is deleted again."""
    body(values)  # what is wrong is said before anything is made
    outside = _outside(req) if values.get("floating") else ""
    private, made_key = "", ""
    if values["public_key"]:
        made_key = reach.imported_key(req, values["public_key"])
    elif values["key_name"] == NEW_KEY:
        made_key, private = reach.new_key(req)
    values = values | {"key_name": made_key or values["key_name"]}
    try:
        if values["ssh"]:
            values["groups"] = [*dict.fromkeys([*values["groups"], reach.ssh_group(req)])]
        made = do(req, "POST", "compute", path("/v2.1/servers"), body(values), "server")
    except errors.Error:
        if made_key:
            undo(req, "compute", path("/v2.1/os-keypairs/{name}", made_key))
        raise
    said = Text("{name} is being built.", name=values["name"]) if values["count"] == 1 else Text(
        "{count} instances are being built.", count=values["count"])
    return _after(req, values, made["id"], outside, private, said) if private or outside else said


def _after(req, values: dict, id: str, outside: str, private: str, said: str) -> str | Page:
    """The page that says how to log in. With a private key it is always shown, whatever fails now."""
    address, failed = "", ""
    try:
        address = reach.floating_ip(req, id, outside) if outside else ""
    except errors.Error as error:
        failed = Text("It got no floating IP: {error} Associate one on its page.", error=error)
    if not private and failed:
        return Partly("{done} {refused}", done=said, refused=failed)
    image = values["image"] if values["source"] in ("image", "new-volume") else ""
    found = together(req, image=get("image", path("/v2/images/{id}", image), instead={})) if image else {"image": {}}
    file = f"{values['key_name']}.pem"
    return Page("launched.html", {
        "said": said, "failed": failed, "address": address, "user": reach.user_of(found["image"]), "file": file, "id": id,
        "key": base64.b64encode(private.encode()).decode(), "count": values["count"]})


_SHELL, _HCL = Text("The same request on the command line:"), Text("The same request as Terraform:")


def _review(values: dict) -> typing.Sequence[tuple[str, str]]:
    return [*((doubt, "") for doubt in cloud_init.doubts(values["user_data"])), (_SHELL, launch_text.command(values)),
            (_HCL, launch_text.terraform(values))]


LAUNCH = Create("Launch instance", _fields, _run, segment="launch", review=_review, max_bytes=262144)
