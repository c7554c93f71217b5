"""Something that there is a limited number of, and that no single project takes all of."""

import collections


class Shares:
    """Counts what is in use. The caller holds a lock.

    :param most: how many there are
    :param kept: how many of these are for projects that use none
    """

    def __init__(self, most: int, kept: int = 0):
        self._most, self._kept = most, kept
        self._of: collections.Counter[str | None] = collections.Counter()

    @property
    def used(self) -> int:
        return self._of.total()

    def take(self, project: str | None) -> bool:
        """False: there is none for this project."""
        kept = self._kept if self._of[project] else 0
        if self.used + kept >= self._most:
            return False
        self._of[project] += 1
        return True

    def give_back(self, project: str | None) -> None:
        self._of -= collections.Counter([project])  # which forgets a project that uses none
