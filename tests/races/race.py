"""What a kind of race is made of: a project of its own, requests that start together, and the count of what was given twice."""

import concurrent.futures
import dataclasses
import json
import random
import string
import threading
import typing
from functools import partial

import urllib3

from deploy.first import Cloud
from tests.conftest import login_as

WIDTH = 8  # requests that start together
KINDS: dict[str, typing.Callable] = {}


def kind(name: str):
    """Register a function ``(race) -> None`` that calls ``race.twice`` for what should not have been granted."""
    def wrap(function):
        KINDS[name] = function
        return function
    return wrap


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    body: dict

    @property
    def ok(self) -> bool:
        return self.status < 400

    def __getitem__(self, key):
        return self.body[key]


class Race:
    """:param tries: how many requests are sent in all, WIDTH at once
    :param seed: of what a kind chooses at random
    """

    def __init__(self, cloud, tries: int, seed: str = "1"):
        self.cloud, self.tries, self.seed, self.admin = cloud, tries, seed, cloud.client
        self.doubles = 0
        self.granted = 0  # requests of those that started together; where none was, the kind has shown nothing
        self.broken: list[str] = []  # 5xx answers: a race that is lost is 4xx
        self.pool = urllib3.PoolManager(retries=False, maxsize=2 * WIDTH)
        self._lock = threading.Lock()
        self._member: Cloud | None = None

    @property
    def member(self) -> Cloud:
        """The admin in a project that only this kind uses."""
        with self._lock:
            if self._member is None:
                self._member = self.new_project()
            return self._member

    def new_project(self) -> Cloud:
        name = f"race-{word()}"
        project = self.admin.call("identity", "POST", "/projects", {"project": {"name": name}})["project"]
        user = self.admin.call("identity", "POST", "/users", {"user": {"name": name, "password": "pw"}})["user"]
        role = self.admin.find("identity", "roles", "member")
        self.admin.call("identity", "PUT", f"/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
        made = login_as(self.cloud, name, "pw", name)
        made.user_id = user["id"]
        return made

    def rounds(self):
        yield from range(max(1, self.tries // WIDTH))

    def twice(self, count: int) -> None:
        """``count`` things were granted that should not have been."""
        self.doubles += max(0, count)

    def ask(self, client: Cloud, service: str, method: str, path: str, body=None, **more) -> Answer:
        """One request; any answer is an answer."""
        headers = {"X-Auth-Token": client.token, "Content-Type": more.get("content_type", "application/json")}
        if service == "compute":
            headers["OpenStack-API-Version"] = f"compute {more.get('version', '2.53')}"
        if service == "volume":
            headers["OpenStack-API-Version"] = "volume 3.44"
        data = more["raw"] if "raw" in more else json.dumps(body) if body is not None else None
        response = self.pool.request(method, client.url(service) + path, headers=headers, timeout=120, body=data)
        if response.status >= 500:
            self.broken.append(f"{method} {path}: {response.status} {response.data[:300]!r}")
        try:
            found = json.loads(response.data) if response.data else {}
        except ValueError:
            found = {}
        return Answer(response.status, found)

    def together(self, *calls: typing.Callable[[], Answer]) -> list[Answer]:
        """Run these at once; their answers in order."""
        barrier = threading.Barrier(len(calls))

        def run(call):
            barrier.wait(30)
            return call()
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            answers = list(pool.map(run, calls))
        self.granted += sum(a.ok for a in answers)
        return answers

    def same(self, client: Cloud, service: str, method: str, path: str, body=None, **more) -> list[Answer]:
        """The same request WIDTH times at once; ``{n}`` in the path and in texts of the body is the request's number."""
        def one(n: int):
            return self.ask(client, service, method, numbered(path, n), numbered(body, n), **more)
        return self.together(*[lambda n=n: one(n) for n in range(WIDTH)])

    def get(self, service: str, path: str):
        return self.admin.call(service, "GET", path)


def numbered(value, n: int):
    if isinstance(value, str):
        return value.replace("{n}", str(n))
    if isinstance(value, dict):
        return {numbered(k, n): numbered(v, n) for k, v in value.items()}
    return [numbered(v, n) for v in value] if isinstance(value, list) else value


def word() -> str:
    return "".join(random.choices(string.ascii_lowercase, k=10))


def over_quota(name: str, service: str, plural: str, singular: str, body, quota: tuple[str, str, dict], *, ready=None):
    """Register a kind: with a quota of one more than there is, WIDTH requests make at most one.

    :param body: (race, what ``ready`` gave) -> the value under ``singular``
    :param quota: (service, path with {project}, body) that sets the limit; {limit} in the body is the number
    :param ready: (race) -> what the body needs; called once
    """
    @kind(f"{name} over quota")
    def run(race: Race) -> None:
        given = ready(race) if ready else None
        path = f"/{plural}"
        known = len(_own(race, service, plural))
        quota_service, quota_path, quota_body = quota
        race.admin.call(quota_service, "PUT", quota_path.replace("{project}", race.member.project_id),
                        json.loads(json.dumps(quota_body).replace('"{limit}"', str(known + 1))))
        for _ in race.rounds():
            answers = race.same(race.member, service, "POST", path, {singular: body(race, given)})
            made = [a[singular]["id"] for a in answers if a.ok]
            race.twice(len(made) - 1)
            for each in made:
                remove(race, service, f"{path}/{each}")


def _own(race: Race, service: str, plural: str) -> list[dict]:
    found = next(iter(race.member.call(service, "GET", f"/{plural}").values()))
    return [x for x in found if x.get("project_id") in (None, race.member.project_id)]


def remove(race: Race, service: str, path: str) -> None:
    race.ask(race.admin, service, "DELETE", path)


def once(name: str, service: str, path: str, body, *, client=lambda race: race.admin):
    """Register a kind: the same thing is asked for WIDTH times at once, and made once.

    :param body: (race) -> the request's body, new in each round
    """
    @kind(f"{name} made once")
    def run(race: Race) -> None:
        for _ in race.rounds():
            asked = body(race)
            made = [a for a in race.same(client(race), service, "POST", path, asked) if a.ok]
            race.twice(len(made) - 1)
            if made and service == "image":  # all are of one project, which has a limit
                remove(race, service, f"{path}/{made[0].body.get('id')}")
            if not made:
                race.broken.append(f"POST {path}: nobody got it")


def kept(name: str, service: str, make, add, read):
    """Register a kind: WIDTH changes of one thing at once, and each that was taken is there afterwards.

    :param make: (race) -> the path of a new thing
    :param add: (race, path, n) -> the answer to adding number n to it
    :param read: (race, path) -> how many are there
    """
    @kind(f"{name} kept")
    def run(race: Race) -> None:
        for _ in race.rounds():
            path = make(race)
            answers = race.together(*[partial(add, race, path, n) for n in range(WIDTH)])
            race.twice(sum(a.ok for a in answers) - read(race, path))
            remove(race, service, path)
