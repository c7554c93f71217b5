"""The network, volume and image services, as far as compute uses them: what they keep, refuse and answer."""

import urllib.parse

from common import errors


def _number(prefix: str, n: int) -> str:
    return f"{prefix}{n:07d}-0000-4000-8000-000000000000"


class Services:
    """What ``RestClient.request`` reaches. Changes nothing in two steps, so needs no points of its own."""

    def __init__(self):
        self.ports: dict[str, dict] = {}
        self.volumes: dict[str, dict] = {}
        self.attachments: dict[str, dict] = {}
        self.images: dict[str, dict] = {}
        self.snapshots: dict[str, dict] = {}
        self._made = 0
        self.images_refused = self.images_damaged = self.images_slow = False  # that volumes are to get
        self.volume_host_away = False  # which exports volumes, and ends that
        self.plugs_that_fail = 0  # the next so many, as their network agent is killed meanwhile

    def new_id(self, prefix: str) -> str:
        self._made += 1
        return _number(prefix, self._made)

    def request(self, method: str, service: str, where: str, *, body=None, headers=None, **_):
        parts = urllib.parse.urlsplit(where)
        names = parts.path.strip("/").split("/")[1:]
        query = dict(urllib.parse.parse_qsl(parts.query))
        return getattr(self, f"_{names[0].replace('-', '_')}")(method, names[1:], query, body, headers or {})

    # network

    def _ports(self, method, names, query, body, headers):
        if not names:
            if method == "GET":
                return {"ports": [dict(p) for p in self.ports.values() if p["device_id"] == query["device_id"] and p["relation"]]}
            return {"port": self.add_port(**body["port"])}
        port = self.ports.get(names[0])
        if port is None:
            raise errors.NotFound("no such port")
        if method != "GET" and headers.get("If-Match", f"revision_number={port['revision_number']}") != \
                f"revision_number={port['revision_number']}":
            raise errors.PreconditionFailed()
        if method == "DELETE":
            if port.get("name") == "own":
                raise AssertionError(f"port {port['id']}, which its owner made, is deleted")
            del self.ports[names[0]]
        elif method == "PUT":
            self._bind(port, body["port"])
        return {"port": dict(port)}

    def _bind(self, port: dict, values: dict) -> None:
        device = values.get("device_id", port["device_id"])
        if port["relation"] and device not in ("", port["device_id"]):
            raise errors.Conflict("another device has it")
        changed = {**port, **values, "relation": "compute" if device else "",
                   "created_for_server": port["created_for_server"] and bool(device)}
        if changed["binding:host_id"] != port["binding:host_id"]:
            changed["binding:profile"] = {}
        plugged = changed["binding:host_id"] and not self._fails_to_plug()
        changed["status"] = "ACTIVE" if plugged else "DOWN"
        changed["binding:vif_type"] = "bridge" if plugged or not changed["binding:host_id"] else "binding_failed"
        if changed != port:
            port.update(changed, revision_number=port["revision_number"] + 1)

    def _fails_to_plug(self) -> bool:
        self.plugs_that_fail -= 1
        return self.plugs_that_fail >= 0

    def add_port(self, **values) -> dict:
        port = {"id": self.new_id("a"), "network_id": "", "project_id": "p", "device_id": "", "device_owner": "", "relation": "",
                "created_for_server": bool(values.get("device_id")), "binding:host_id": "", "binding:vif_type": "bridge",
                "status": "DOWN", "revision_number": 1, "mac_address": "fa:16:3e:00:00:01", "fixed_ips": [],
                "binding:profile": {}, "security_groups": []}
        self.ports[port["id"]] = port
        self._bind(port, values)
        return dict(port)

    def _networks(self, method, names, query, body, headers):
        return {"networks": [{"id": n, "name": n, "mtu": 1450} for n in {p["network_id"] for p in self.ports.values()}]}

    # volume

    def add_volume(self) -> str:
        made = self.new_id("b")
        self.volumes[made] = {"id": made, "status": "available", "size": 1}
        return made

    def _volumes(self, method, names, query, body, headers):
        volume = self.volumes.get(names[0])
        if volume is None:
            raise errors.NotFound("no such volume")
        if "os-reimage" in (body or {}):
            return self._reimage(volume)
        if volume["status"] == "downloading" and method == "GET" and not self.images_slow:  # it has its image the next time
            answer = dict(volume)
            self._reimaged(volume)
            return {"volume": answer}
        if names[1:] == ["action"]:
            if volume["status"] != "extending":
                raise errors.BadRequest("it is not being extended")
            if (body or {}).get("os-extend_volume_completion", {}).get("new_size", volume["size"]) < volume["size"]:
                raise errors.BadRequest("it has been extended further since")
            volume["status"] = "in-use" if any(a["volume_id"] == names[0] for a in self.attachments.values()) else "available"
        if method == "DELETE":
            if volume["status"] != "available":
                raise errors.BadRequest(f"it is {volume['status']}")
            del self.volumes[names[0]]
        return {"volume": dict(volume)}

    def _reimage(self, volume: dict) -> None:
        if self.images_refused or volume["status"] not in ("available", "error", "reserved"):
            raise errors.BadRequest(f"it is {volume['status']}")
        if any(a["volume_id"] == volume["id"] and a["host"] for a in self.attachments.values()):
            raise AssertionError(f"volume {volume['id']} gets an image while a host has it")
        volume.update(status="downloading", images=volume.get("images", 0) + 1)

    def _reimaged(self, volume: dict) -> None:
        held = any(a["volume_id"] == volume["id"] for a in self.attachments.values())
        volume["status"] = "error" if self.images_damaged else "reserved" if held else "available"

    def _attachments(self, method, names, query, body, headers):
        if not names:
            return self._all_attachments(method, query, body)
        found = self.attachments.get(names[0])
        if found is None:
            raise errors.NotFound("no such attachment")
        if self.volume_host_away and found["host"]:
            raise errors.ServiceUnavailable(part="volume host")
        if method == "DELETE":
            del self.attachments[names[0]]
            left = [a["status"] for a in self.attachments.values() if a["volume_id"] == found["volume_id"]]
            if set(left) <= {"reserved"}:
                self._move(found["volume_id"], "reserved" if left else "available")
            return None
        if names[1:] == ["action"]:
            found["status"] = "attached"
            self._move(found["volume_id"], "in-use")
            return None
        return self._connect(found, body["attachment"]["connector"])

    def _all_attachments(self, method, query, body):
        if method == "GET":
            names = {"instance_id": "instance", "volume_id": "volume_id", "attached_host": "host", "attach_status": "status"}
            wanted = {names[k]: v for k, v in query.items() if k in names}
            found = {i: a for i, a in self.attachments.items() if all(a[k] == v for k, v in wanted.items())}
            return {"attachments": [{"id": i, "instance": a["instance"]} for i, a in found.items()]}
        given = body["attachment"]
        volume = self.volumes.get(given["volume_uuid"])
        if volume is None:
            raise errors.NotFound("no such volume")
        others = [a["instance"] for a in self.attachments.values() if a["volume_id"] == volume["id"]]
        statuses = ("in-use",) if "connector" in given else ("reserved", "attaching", "in-use")
        beside = volume["status"] in statuses and set(others) == {given["instance_uuid"]}
        if volume["status"] != "available" and not beside:
            raise errors.BadRequest(f"it is {volume['status']}")
        made = {"id": self.new_id("c"), "volume_id": volume["id"], "instance": given["instance_uuid"], "host": "",
                "status": "reserved"}
        self.attachments[made["id"]] = made
        if "connector" not in given:
            volume["status"] = volume["status"] if beside else "reserved"
            return {"attachment": dict(made)}
        volume["status"] = "in-use" if beside else "attaching"
        return self._connect(made, given["connector"])

    def _move(self, volume_id: str, status: str) -> None:
        """One that is being extended, or gets an image, stays so until that has ended."""
        if self.volumes[volume_id]["status"] not in ("extending", "downloading"):
            self.volumes[volume_id]["status"] = status

    def _snapshots(self, method, names, query, body, headers):
        if method == "POST":
            given = body["snapshot"]
            made = {"id": self.new_id("8"), "status": "available", "size": self.volumes[given["volume_id"]]["size"], **given}
            self.snapshots[made["id"]] = made
            return {"snapshot": dict(made)}
        if method == "DELETE":
            if self.snapshots.pop(names[0], None) is None:
                raise errors.NotFound("no such snapshot")
            return None
        return {"snapshots": [dict(s) for s in self.snapshots.values() if s["volume_id"] == query["volume_id"]]}

    def _connect(self, attachment: dict, connector: dict) -> dict:
        if self.volume_host_away:
            raise errors.ServiceUnavailable(part="volume host")
        attachment["host"] = connector["host"]
        attachment["status"] = "attached" if attachment["status"] == "attached" else "attaching"
        return {"attachment": {**attachment, "connection_info": {"auth_password": "x"}}}

    # image

    def _images(self, method, names, query, body, headers):
        if names:
            if names[0] not in self.images:
                raise errors.NotFound("no such image")
            if method == "DELETE":
                del self.images[names[0]]
                return None
            return dict(self.images[names[0]])
        return {"images": [i for i in self.images.values() if i["instance_uuid"] == query["instance_uuid"]
                           and i["status"] in ("queued", "saving")]}

    def send_image(self, image_id: str) -> None:
        if image_id not in self.images:
            raise errors.StepFailed(reason="The image is gone.")
        if self.images[image_id]["status"] == "active":
            return
        if self.images[image_id]["status"] != "queued":
            raise errors.Conflict(f"Image {image_id} is {self.images[image_id]['status']}.")
        self.images[image_id]["status"] = "active"
