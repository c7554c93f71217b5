"""Races for names, grants, trusts, credentials and limits of identity."""

from functools import partial

from tests.races.race import WIDTH, Race, kept, kind, once, word

IDENTITY = "identity"

for noun, plural, more in (("domain", "domains", {}), ("project", "projects", {}), ("user", "users", {"password": "pw"}),
                           ("group", "groups", {}), ("role", "roles", {})):
    once(f"a {noun}", IDENTITY, f"/{plural}",
         lambda race, noun=noun, more=more: {noun: {"name": word(), **more}})


@kind("application credentials of one name")
def credentials(race: Race) -> None:
    client = race.member
    for _ in race.rounds():
        answers = race.same(client, IDENTITY, "POST", f"/users/{client.user_id}/application_credentials", {
            "application_credential": {"name": word()}})
        race.twice(sum(a.ok for a in answers) - 1)


@kind("a trust used more often than it allows")
def trusts(race: Race) -> None:
    trustor, trustee = race.member, race.new_project()
    for _ in race.rounds():
        trust = trustor.call(IDENTITY, "POST", "/OS-TRUST/trusts", {"trust": {
            "trustor_user_id": trustor.user_id, "trustee_user_id": trustee.user_id, "impersonation": False,
            "project_id": trustor.project_id, "roles": [{"name": "member"}], "remaining_uses": 1}})["trust"]["id"]
        answers = race.same(trustee, IDENTITY, "POST", "/auth/tokens", {"auth": {
            "identity": {"methods": ["token"], "token": {"id": trustee.token}}, "scope": {"OS-TRUST:trust": {"id": trust}}}})
        race.twice(sum(a.ok for a in answers) - 1)


kept("tags of a project", IDENTITY,
     lambda race: "/projects/" + race.admin.call(IDENTITY, "POST", "/projects", {"project": {"name": word()}})["project"]["id"],
     lambda race, path, n: race.ask(race.admin, IDENTITY, "PUT", f"{path}/tags/t{n}"),
     lambda race, path: len(race.get(IDENTITY, f"{path}/tags")["tags"]))


@kind("a grant made twice at once is no fault")
def grants(race: Race) -> None:
    role = race.admin.find(IDENTITY, "roles", "reader")["id"]
    for number in race.rounds():
        group = race.admin.call(IDENTITY, "POST", "/groups", {"group": {"name": word()}})["group"]["id"]
        path = f"/projects/{race.member.project_id}/users/{race.member.user_id}/roles/{role}"
        race.same(race.admin, IDENTITY, "DELETE" if number % 2 else "PUT", path)
        answers = race.same(race.admin, IDENTITY, "PUT", f"/groups/{group}/users/{race.member.user_id}")
        race.twice(sum(not a.ok for a in answers))


@kind("a group deleted while it gets members")
def deleted_groups(race: Race) -> None:
    for _ in race.rounds():
        group = race.admin.call(IDENTITY, "POST", "/groups", {"group": {"name": word()}})["group"]["id"]
        race.together(partial(race.ask, race.admin, IDENTITY, "DELETE", f"/groups/{group}"), *[
            partial(race.ask, race.admin, IDENTITY, "PUT", f"/groups/{group}/users/{race.member.user_id}")
            for _ in range(WIDTH - 1)])
        found = race.get(IDENTITY, f"/users/{race.member.user_id}/groups")["groups"]
        race.twice(sum(g["id"] == group for g in found))


@kind("a registered limit twice")
def registered_limits(race: Race) -> None:
    service = race.admin.find(IDENTITY, "services", "glance") or race.get(IDENTITY, "/services")["services"][0]
    for _ in race.rounds():
        answers = race.same(race.admin, IDENTITY, "POST", "/registered_limits", {"registered_limits": [
            {"service_id": service["id"], "resource_name": word(), "default_limit": 1}]})
        race.twice(sum(a.ok for a in answers) - 1)


@kind("a limit of a project twice")
def limits(race: Race) -> None:
    service = race.get(IDENTITY, "/services")["services"][0]["id"]
    for _ in race.rounds():
        name = word()
        race.admin.call(IDENTITY, "POST", "/registered_limits", {"registered_limits": [
            {"service_id": service, "resource_name": name, "default_limit": 1}]})
        answers = race.same(race.admin, IDENTITY, "POST", "/limits", {"limits": [
            {"service_id": service, "resource_name": name, "resource_limit": 2, "project_id": race.member.project_id}]})
        race.twice(sum(a.ok for a in answers) - 1)


@kind("a policy of an endpoint set twice at once is no fault")
def policies(race: Race) -> None:
    endpoint = race.get(IDENTITY, "/endpoints")["endpoints"][0]["id"]
    for _ in race.rounds():
        made = race.admin.call(IDENTITY, "POST", "/policies", {"policy": {"type": "application/json", "blob": "{}"}})
        made = made["policy"]["id"]
        answers = race.same(race.admin, IDENTITY, "PUT", f"/policies/{made}/OS-ENDPOINT-POLICY/endpoints/{endpoint}")
        race.twice(sum(not a.ok for a in answers))
