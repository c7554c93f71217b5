"""The standard catalog of metadata definitions, and how it gets into the database."""

import json

import pytest
import sqlalchemy as sa

from common import errors, migrate
from common.db import Database
from common.service import default_url
from image import catalog, cli
from image.db import metadefs


@pytest.fixture
def database(tmp_path):
    url = default_url(str(tmp_path), "image")
    migrate.sync("image.db", url)
    return Database("image-test", url)


def names(database) -> set[str]:
    with database.reader() as connection:
        return {row["namespace"] for row in connection.execute(metadefs.NAMESPACES.select()).mappings()}


def test_a_new_cloud_has_the_catalog_and_deleted_namespaces_stay_deleted(database):
    catalog.load_standard(database)
    known = names(database)
    assert {"OS::Compute::VirtCPUTopology", "OS::Glance::CommonImageProperties", "OS::Software::DBMS"} <= known
    with database.writer() as connection:
        connection.execute(metadefs.NAMESPACES.delete().where(metadefs.NAMESPACES.c.namespace == "OS::Software::DBMS"))
    catalog.load_standard(database)
    assert names(database) == known - {"OS::Software::DBMS"}


def test_an_operator_adds_his_own(database, tmp_path, capsys):
    own = tmp_path / "own"
    own.mkdir()
    (own / "one.json").write_text(json.dumps({"namespace": "Own", "properties": {"x": {"title": "X", "type": "string"}}}))
    words = ["--state", str(tmp_path), "metadefs", "load", str(own)]
    assert cli.main(words) == 0 and names(database) == {"Own"}
    assert cli.main(words) == 0 and "existing: 1" in capsys.readouterr().out
    (own / "two.json").write_text(json.dumps({"namespace": "Two", "properties": {"x": {"title": "X"}}}))
    (own / "aaa.json").write_text(json.dumps({"namespace": "First"}))
    assert cli.main(words) != 0 and names(database) == {"Own"}, "all of them or none"


def test_a_large_namespace_is_one_statement_and_no_name_is_there_twice(database):
    ran = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *of: ran.append(of))
    with database.writer() as connection:
        row = metadefs.add(connection, {"namespace": "Large", "properties": {f"p{n}": {"title": "t"} for n in range(3000)},
                                        "tags": [{"name": f"t{n}"} for n in range(3000)]}, "owner")
        assert len(ran) < 10
        items = connection.execute(metadefs.ITEMS.select().where(metadefs.ITEMS.c.namespace_id == row["id"])).all()
    assert len(items) == 6000
    with pytest.raises(errors.Conflict, match="tag with name=a already exists"), database.writer() as connection:
        metadefs.add(connection, {"namespace": "Twice", "tags": [{"name": "a"}, {"name": "a"}]}, "owner")
