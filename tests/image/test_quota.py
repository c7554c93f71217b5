"""What a project may have of images, by identity's limits."""

import pytest
import sqlalchemy as sa

from common import db, errors, migrate
from common.service import default_url
from image.db.models import images as TABLE
from image.quota import COUNT, SIZE, STAGED, UPLOADING
from image.service import ImageApi

MIB = 1 << 20


class Identity:
    """Stands for the REST client: what identity would say, and how often it was asked."""

    def __init__(self, registered: dict, own: dict):
        self.registered, self.own, self.asked = registered, own, 0

    def request(self, method, service, path, **more):
        self.asked += 1
        if path == "/v3/registered_limits":
            return {"registered_limits": [{"resource_name": k, "default_limit": v} for k, v in self.registered.items()]}
        assert path == "/v3/limits?project_id=p"
        return {"limits": [{"resource_name": k, "resource_limit": v, "project_id": "p"} for k, v in self.own.items()]}


@pytest.fixture
def service(tmp_path):
    migrate.sync("image.db", default_url(str(tmp_path), "image"))
    made = ImageApi.load(str(tmp_path), {"image.use_keystone_limits": True})
    made.rest = Identity({COUNT: 10, UPLOADING: 2, SIZE: 100, STAGED: 50}, {COUNT: 3})
    yield made
    made.stop()
    made.db.engine.dispose()


def add(service, id: str, status: str, mib: int, owner: str = "p") -> None:
    at = db.now()
    with service.db.writer() as connection:
        connection.execute(sa.insert(TABLE).values({
            "id": id, "name": "i", "status": status, "visibility": "private", "owner": owner, "size": mib * MIB, "min_disk": 0,
            "min_ram": 0, "protected": False, "os_hidden": False, "properties": {}, "tags": [], "created_at": at,
            "updated_at": at}))


def check(service, *names: str) -> None:
    limits = service.quota.limits("p")
    with service.db.reader() as connection:
        service.quota.check(connection, "p", limits, *names)


def test_a_project_s_own_limit_holds_before_the_registered_one(service):
    assert service.quota.limits("p") == {COUNT: 3, UPLOADING: 2, SIZE: 100, STAGED: 50}
    service.rest.own = {COUNT: 4}
    assert service.quota.limits("p")[COUNT] == 4, "a changed limit takes effect at once"


def test_an_unregistered_limit_is_zero(service):
    service.rest.registered = {COUNT: 5}
    service.rest.own = {}
    assert service.quota.limits("p") == {COUNT: 5, UPLOADING: 0, SIZE: 0, STAGED: 0}
    check(service, SIZE)
    with pytest.raises(errors.TooLarge, match=UPLOADING):
        check(service, UPLOADING)
    add(service, "a", "active", 1)
    with pytest.raises(errors.TooLarge, match=SIZE):
        check(service, SIZE)


def test_what_there_is_counts(service):
    for number, (status, mib) in enumerate((("active", 60), ("saving", 0), ("active", 0))):
        add(service, f"a{number}", status, mib)
    add(service, "other", "active", 500, owner="q")
    add(service, "gone", "deleted", 500)
    with pytest.raises(errors.TooLarge, match=f"{COUNT} is over limit of 3 due to current usage 3 and delta 1"):
        check(service, COUNT)
    check(service, UPLOADING, SIZE, STAGED)
    add(service, "s", "uploading", 50)
    with pytest.raises(errors.TooLarge, match=UPLOADING):
        check(service, UPLOADING)
    check(service, STAGED)
    add(service, "t", "uploading", 1)
    with pytest.raises(errors.TooLarge, match=STAGED):
        check(service, STAGED)
    add(service, "b", "active", 40)
    check(service, SIZE)  # the size of what comes is not known, and the project is not over its limit
    add(service, "c", "active", 1)
    with pytest.raises(errors.TooLarge, match=SIZE):
        check(service, SIZE)


def test_without_limits_no_request_is_sent_to_identity(service):
    service.conf.set_override("use_keystone_limits", False, group="image")
    service.conf.set_override("quota_images", 2, group="image")
    assert service.quota.limits("p") == {COUNT: 2, UPLOADING: -1, SIZE: -1, STAGED: -1} and not service.rest.asked
