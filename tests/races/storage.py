"""Races for volumes, snapshots, their types, and images."""

import json
import uuid
from functools import partial

from common.periodic import wait_for
from tests.conftest import new_volume, volume_status
from tests.races.race import WIDTH, Race, kept, kind, once, remove, word

VOLUME, IMAGE = "volume", "image"


def gone(race: Race, what: str, made: list[str]) -> None:
    for each in made:
        remove(race, VOLUME, f"/{what}/{each}")
    wait_for(lambda: not [v for v in race.member.call(VOLUME, "GET", f"/{what}")[what] if v["id"] in made], 60,
             every_s=0.05, what=f"the {what} to go")


def quota(race: Race, **values) -> None:
    race.admin.call(VOLUME, "PUT", f"/os-quota-sets/{race.member.project_id}", {"quota_set": values})


def ready(race: Race, what: str, made: list[str]) -> None:
    wait_for(lambda: all(v["status"] != "creating" for v in race.member.call(VOLUME, "GET", f"/{what}/detail")[what]
                         if v["id"] in made), 60, every_s=0.05, what=f"the {what}")


def _volumes_over(name: str, **limits) -> None:
    @kind(f"{name} over quota")
    def run(race: Race) -> None:
        quota(race, **limits)
        for _ in race.rounds():
            answers = race.same(race.member, VOLUME, "POST", "/volumes", {"volume": {"size": 1, "name": "{n}"}})
            made = [a["volume"]["id"] for a in answers if a.ok]
            race.twice(len(made) - 1)
            ready(race, "volumes", made)
            gone(race, "volumes", made)


_volumes_over("volumes", volumes=1)
_volumes_over("gigabytes", gigabytes=1)


@kind("snapshots over quota")
def snapshots(race: Race) -> None:
    quota(race, snapshots=1)
    volume = new_volume(race.member, word())
    for _ in race.rounds():
        answers = race.same(race.member, VOLUME, "POST", "/snapshots", {"snapshot": {"volume_id": volume, "name": "{n}"}})
        made = [a["snapshot"]["id"] for a in answers if a.ok]
        race.twice(len(made) - 1)
        ready(race, "snapshots", made)
        gone(race, "snapshots", made)


def grown(race: Race, made: list[str]) -> bool:
    return all(volume_status(race.member, v) == "available" for v in made)


@kind("gigabytes over quota by growth")
def growth(race: Race) -> None:
    for _ in race.rounds():
        quota(race, gigabytes=100)
        made = [new_volume(race.member, word()) for _ in range(WIDTH)]
        quota(race, gigabytes=WIDTH + 1)
        answers = race.together(*[partial(race.ask, race.member, VOLUME, "POST", f"/volumes/{v}/action", {
            "os-extend": {"new_size": 2}}) for v in made])
        race.twice(sum(a.ok for a in answers) - 1)
        wait_for(partial(grown, race, made), 30, what="growth")
        gone(race, "volumes", made)


@kind("one volume attached twice")
def attachments(race: Race) -> None:
    volume = new_volume(race.member, word())
    for _ in race.rounds():
        answers = race.same(race.member, VOLUME, "POST", "/attachments", {"attachment": {"volume_uuid": volume}})
        made = [a["attachment"]["id"] for a in answers if a.ok]
        race.twice(len(made) - 1)
        for each in made:
            remove(race, VOLUME, f"/attachments/{each}")


@kind("a volume deleted while snapshots are made of it")
def deleted_volumes(race: Race) -> None:
    for _ in race.rounds():
        volume = new_volume(race.member, word())
        answers = race.together(partial(race.ask, race.member, VOLUME, "DELETE", f"/volumes/{volume}"), *[
            partial(race.ask, race.member, VOLUME, "POST", "/snapshots", {"snapshot": {"volume_id": volume}})
            for _ in range(WIDTH - 1)])
        made = [a["snapshot"]["id"] for a in answers[1:] if a.ok]
        race.twice(len(made) if answers[0].ok else 0)
        ready(race, "snapshots", made)
        gone(race, "snapshots", made)
        gone(race, "volumes", [volume])


@kind("a volume deleted while it is attached")
def deleted_attached(race: Race) -> None:
    for _ in race.rounds():
        volume = new_volume(race.member, word())
        answers = race.together(partial(race.ask, race.member, VOLUME, "DELETE", f"/volumes/{volume}"), *[
            partial(race.ask, race.member, VOLUME, "POST", "/attachments", {"attachment": {"volume_uuid": volume}})
            for _ in range(WIDTH - 1)])
        made = [a["attachment"]["id"] for a in answers[1:] if a.ok]
        race.twice(len(made) - 1 + answers[0].ok)
        for each in made:
            remove(race, VOLUME, f"/attachments/{each}")
        gone(race, "volumes", [volume])


@kind("a volume deleted while hosts are connected to it")
def deleted_connected(race: Race) -> None:
    for _ in race.rounds():
        volume = new_volume(race.member, word())
        answers = race.together(partial(race.ask, race.member, VOLUME, "DELETE", f"/volumes/{volume}"), *[
            partial(race.ask, race.member, VOLUME, "POST", f"/volumes/{volume}/action", {"os-initialize_connection": {
                "connector": {"initiator": f"iqn.2000-01.com.example:{n}"}}}) for n in range(WIDTH - 1)])
        race.twice(sum(a.ok for a in answers[1:]) if answers[0].ok else 0)
        if not answers[0].ok:
            race.member.call(VOLUME, "POST", f"/volumes/{volume}/action", {"os-terminate_connection": {"connector": None}})
        gone(race, "volumes", [volume])


@kind("one volume uploaded twice")
def uploaded_volumes(race: Race) -> None:
    """Who is refused leaves no image."""
    volume = new_volume(race.member, word())
    for _ in race.rounds():
        name = word()
        answers = race.same(race.member, VOLUME, "POST", f"/volumes/{volume}/action", {
            "os-volume_upload_image": {"image_name": name}})
        made = [a["os-volume_upload_image"]["image_id"] for a in answers if a.ok]
        wait_for(partial(grown, race, [volume]), 30, every_s=0.05, what="the upload")
        found = [(i["id"], i["status"]) for i in race.member.call(IMAGE, "GET", f"/images?name={name}")["images"]]
        race.twice(0 if sorted(found) == sorted((i, "active") for i in made) else 1)
        for each in made:
            remove(race, IMAGE, f"/images/{each}")


@kind("a snapshot deleted while volumes are made of it")
def deleted_snapshots(race: Race) -> None:
    source = new_volume(race.member, word())
    quota(race, volumes=1000, gigabytes=10000, snapshots=1000)
    for _ in race.rounds():
        snapshot = race.member.call(VOLUME, "POST", "/snapshots", {"snapshot": {"volume_id": source}})["snapshot"]["id"]
        ready(race, "snapshots", [snapshot])
        answers = race.together(partial(race.ask, race.member, VOLUME, "DELETE", f"/snapshots/{snapshot}"), *[
            partial(race.ask, race.member, VOLUME, "POST", "/volumes", {"volume": {"snapshot_id": snapshot}})
            for _ in range(WIDTH - 1)])
        made = [a["volume"]["id"] for a in answers[1:] if a.ok]
        race.twice(len(made) if answers[0].ok else 0)
        ready(race, "volumes", made)
        gone(race, "volumes", made)
        gone(race, "snapshots", [snapshot])


once("a volume type", VOLUME, "/types", lambda race: {"volume_type": {"name": word()}})


def _add_key(path_name: str):
    return lambda race, path, n: race.ask(race.admin, VOLUME, "POST", f"{path}/{path_name}", {path_name: {f"k{n}": "v"}})


kept("extra specs of a volume type", VOLUME,
     lambda race: "/types/" + race.admin.call(VOLUME, "POST", "/types", {"volume_type": {"name": word()}})["volume_type"]["id"],
     _add_key("extra_specs"), lambda race, path: len(race.get(VOLUME, f"{path}/extra_specs")["extra_specs"]))
kept("metadata of a volume", VOLUME, lambda race: f"/volumes/{new_volume(race.member, word())}",
     _add_key("metadata"), lambda race, path: len(race.get(VOLUME, f"{path}/metadata")["metadata"]))


def image(race: Race, **values) -> str:
    return race.member.call(IMAGE, "POST", "/images", {"name": word(), "disk_format": "raw", "container_format": "bare",
                                                       **values})["id"]


@kind("images over quota")
def images(race: Race) -> None:
    """The cloud's own limit holds for each project."""
    most = 5
    for _ in race.rounds():
        client = race.new_project()
        for _ in range(most - 1):
            race.ask(client, IMAGE, "POST", "/images", {"name": "i"})
        answers = race.same(client, IMAGE, "POST", "/images", {"name": "{n}"})
        race.twice(sum(a.ok for a in answers) - 1)


once("an image's id", IMAGE, "/images", lambda race: {"id": str(uuid.uuid4()), "name": "i"})
once("a namespace of definitions", IMAGE, "/metadefs/namespaces", lambda race: {"namespace": word()})
kept("tags of an image", IMAGE, lambda race: f"/images/{image(race)}",
     lambda race, path, n: race.ask(race.member, IMAGE, "PUT", f"{path}/tags/t{n}"),
     lambda race, path: len(race.get(IMAGE, path)["tags"]))


def _patch(race: Race, path: str, n: int):
    return race.ask(race.member, IMAGE, "PATCH", path, raw=json.dumps([{"op": "add", "path": f"/k{n}", "value": "v"}]),
                    content_type="application/openstack-images-v2.1-json-patch")


kept("properties of an image", IMAGE, lambda race: f"/images/{image(race)}", _patch,
     lambda race, path: len([k for k in race.get(IMAGE, path) if k in [f"k{n}" for n in range(WIDTH)]]))


@kind("members of an image over quota")
def members(race: Race) -> None:
    most = 3
    for _ in race.rounds():
        made = image(race)
        answers = race.same(race.member, IMAGE, "POST", f"/images/{made}/members", {"member": "p{n}"})
        race.twice(sum(a.ok for a in answers) - most)
        remove(race, IMAGE, f"/images/{made}")


@kind("one image gets data twice")
def uploads(race: Race) -> None:
    for _ in race.rounds():
        made = image(race)
        answers = race.together(*[partial(
            race.ask, race.member, IMAGE, "PUT", f"/images/{made}/file", raw=bytes([n]) * 4096,
            content_type="application/octet-stream") for n in range(WIDTH)])
        race.twice(sum(a.ok for a in answers) - 1)
        remove(race, IMAGE, f"/images/{made}")


@kind("an image deleted while its data arrives")
def deleted_images(race: Race) -> None:
    for _ in race.rounds():
        made = image(race)
        upload = partial(race.ask, race.member, IMAGE, "PUT", f"/images/{made}/file", raw=b"\0" * 4096,
                         content_type="application/octet-stream")
        delete = partial(race.ask, race.member, IMAGE, "DELETE", f"/images/{made}")
        answers = race.together(*[delete, upload] * (WIDTH // 2))
        there = race.ask(race.member, IMAGE, "GET", f"/images/{made}").ok
        deletes = sum(a.ok for a in answers[::2])
        race.twice(deletes - 1 + int(there and deletes > 0))
        remove(race, IMAGE, f"/images/{made}")
