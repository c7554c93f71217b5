"""A number for each guest of a host, such as a user's id, which no other guest has at the same time."""

import os
import pathlib
import re
import threading


class Numbers:
    """The number of a guest is stored in its directory, and free again when that is removed.

    :param path: of the guests' directories; :param name: of the file with a guest's number
    :param helpers: names of directories in those of guests that have numbers of their own
    :param first: the lowest number; :param count: how many there are
    """

    def __init__(self, path: pathlib.Path, name: str, first: int, count: int, helpers: tuple[str, ...] = ()):
        self.path, self.name, self.first, self.count = path, name, first, count
        self._places = [f"*/{name}", *(f"*/{helper}/{name}" for helper in helpers)]
        self._lock = threading.Lock()
        self._last = -1  # the number that this process chose last

    def of(self, uuid: str) -> int:
        """The number of a guest whose directory exists, chosen on first use.

        :param uuid: or "<uuid>/<name>", for a helper
        """
        with self._lock:
            known = self._noted()
            if uuid not in known:
                taken = set(known.values())
                # Ascending: a recently freed number may still own files somewhere.
                last = self._last if self._last >= 0 else max(taken, default=self.first - 1)
                start = last + 1 - self.first
                known[uuid] = next(n for i in range(self.count) if (n := self.first + (start + i) % self.count) not in taken)
                self._last = known[uuid]
                note = self.path / uuid / self.name
                with open(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
                    out.write(str(known[uuid]))
            return known[uuid]

    def known(self, name: str) -> int | None:
        """The number of a guest or a helper, if one was chosen."""
        with self._lock:
            return self._noted().get(name)

    def _noted(self) -> dict[str, int]:
        found = {}
        for note in [path for place in self._places for path in self.path.glob(place)]:
            text = note.read_text()
            if re.fullmatch("[0-9]+", text) and self.first <= int(text) < self.first + self.count:
                found[str(note.parent.relative_to(self.path))] = int(text)
        return found
