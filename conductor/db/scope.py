"""The projects whose rows a request may see."""

import dataclasses

import sqlalchemy as sa


@dataclasses.dataclass(frozen=True)
class Scope:
    """The rows of one project, or of all with ``everyone``. Without a project there are none."""

    project_id: str | None
    everyone: bool = False

    def of(self, column):
        """The condition on a project id column."""
        if self.everyone:
            return sa.true()
        return sa.false() if self.project_id is None else column == self.project_id
