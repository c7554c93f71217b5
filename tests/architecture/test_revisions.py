"""The revisions of each database are one line: of two with the same parent no database could be brought to the newest."""

import pytest
from alembic.script import ScriptDirectory

from common import migrate
from deploy.daemons import DATABASES


@pytest.mark.parametrize("package", DATABASES.values())
def test_revisions_are_one_line(package):
    scripts = ScriptDirectory.from_config(migrate.config(package, ""))
    assert len(scripts.get_heads()) == 1, "number the newer of them after the other"
    numbers = [script.revision for script in scripts.walk_revisions()]
    assert numbers == [f"{n:04}" for n in range(len(numbers), 0, -1)]
