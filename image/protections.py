"""Properties that only some roles may create, read, update or delete.

The file has OpenStack's format (``property_protection_file``): each section is a regular expression, matched at the
start of a property's name. The first that matches lists the roles for create, read, update and delete, or ``@`` for
everybody, ``!`` for nobody. Properties that match no section are not accessible to anybody. Without a file, all
properties are the image owner's.

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
from common.conf import ConfigError

OPERATIONS = ("create", "read", "update", "delete")


class Protections:
    """:raises ConfigError: the file does not exist, or is invalid"""

    def __init__(self, path: str):
        self.rules: list[tuple[re.Pattern, dict[str, frozenset[str]]]] | None = None
        if path:
            self.rules = self._read(path)

    @staticmethod
    def _read(path: str):
        parser = configparser.ConfigParser(interpolation=None)
        if not parser.read(path):
            raise ConfigError(f"property_protection_file {path} cannot be read")
        found = []
        for section in parser.sections():
            options = dict(parser[section])
            if set(options) != set(OPERATIONS):
                raise ConfigError(f"{path}: [{section}] must have the options {', '.join(OPERATIONS)}, and no others")
            roles = {name: frozenset(r.strip().lower() for r in text.split(",") if r.strip()) for name, text in options.items()}
            if any({"@", "!"} & each and len(each) > 1 or not each for each in roles.values()):
                raise ConfigError(f"{path}: [{section}] must be a list of roles, or @, or !")
            try:
                found.append((re.compile(section), roles))
            except re.error as error:
                raise ConfigError(f"{path}: [{section}] is no regular expression: {error}") from None
        return found

    def allows(self, ctx, operation: str, name: str) -> bool:
        """Whether a caller may create, read, update or delete a property with this name."""
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
        """:raises Forbidden: the caller may not change the properties from one set to the other"""
        for name in set(before) | set(after):
            if name not in after:
                self.check(ctx, "delete", name)
            elif name not in before:
                self.check(ctx, "create", name)
            elif before[name] != after[name]:
                self.check(ctx, "update", name)
