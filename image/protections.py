"""Properties that only some roles may make, see, change or take away.

The file is OpenStack's (``property_protection_file``): each section is a regular expression, matched with the start of a
property's name; the first that matches says, for create, read, update and delete, which roles may: a list, ``@`` for all,
``!`` for nobody. A property that no section matches is nobody's. Without a file, every property is its image's owner's.

    [^x_billing_.*]
    create = admin
    read = admin,billing
    update = admin
    delete = admin
    [.*]
    create = @
    ...
"""

import configparser
import re

from common import errors

OPERATIONS = ("create", "read", "update", "delete")


class Protections:
    """:raises ValueError: the file is not there, or says something else than it should"""

    def __init__(self, path: str):
        self.rules: list[tuple[re.Pattern, dict[str, frozenset[str]]]] | None = None
        if path:
            self.rules = self._read(path)

    @staticmethod
    def _read(path: str):
        parser = configparser.ConfigParser(interpolation=None)
        if not parser.read(path):
            raise ValueError(f"property_protection_file {path} cannot be read")
        found = []
        for section in parser.sections():
            said = dict(parser[section])
            if set(said) != set(OPERATIONS):
                raise ValueError(f"{path}: [{section}] must say who may {', '.join(OPERATIONS)}, and nothing else")
            roles = {name: frozenset(r.strip().lower() for r in text.split(",") if r.strip()) for name, text in said.items()}
            if any({"@", "!"} & each and len(each) > 1 or not each for each in roles.values()):
                raise ValueError(f"{path}: [{section}] must name roles, or @, or !")
            try:
                found.append((re.compile(section), roles))
            except re.error as error:
                raise ValueError(f"{path}: [{section}] is no regular expression: {error}") from None
        return found

    def allows(self, ctx, operation: str, name: str) -> bool:
        """Whether a caller may create, read, update or delete a property by this name."""
        if self.rules is None:
            return True
        for pattern, roles in self.rules:
            if pattern.match(name):
                return "@" in roles[operation] or bool(roles[operation] & {r.lower() for r in ctx.roles})
        return False

    def check(self, ctx, operation: str, name: str) -> None:
        """:raises Forbidden: the caller may not"""
        if not self.allows(ctx, operation, name):
            raise errors.Forbidden(f"Property '{name}' is protected")

    def readable(self, ctx, properties: dict) -> dict:
        return properties if self.rules is None else {k: v for k, v in properties.items() if self.allows(ctx, "read", k)}

    def check_change(self, ctx, before: dict, after: dict) -> None:
        """:raises Forbidden: the caller may not make one set of properties of the other"""
        for name in set(before) | set(after):
            if name not in after:
                self.check(ctx, "delete", name)
            elif name not in before:
                self.check(ctx, "create", name)
            elif before[name] != after[name]:
                self.check(ctx, "update", name)
