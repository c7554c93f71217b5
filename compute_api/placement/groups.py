"""What a query asks of a resource provider."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Conditions:
    """Conditions on the traits of a provider, or on its aggregates.

    :param required: of each set it must have at least one
    :param forbidden: it must have none
    """

    required: tuple[frozenset[str], ...] = ()
    forbidden: frozenset[str] = frozenset()

    def names(self) -> frozenset[str]:
        return self.forbidden.union(*self.required)

    def accept(self, has: frozenset[str]) -> bool:
        return all(has & any_of for any_of in self.required) and not has & self.forbidden

    def conflicts(self) -> list[str]:
        """The required names, sorted and joined, that are all forbidden too."""
        return [", ".join(sorted(any_of)) for any_of in self.required if any_of <= self.forbidden]


@dataclasses.dataclass(frozen=True)
class Group:
    """A group of requirements that one provider must meet. ``resources``: {class: amount}."""

    resources: dict[str, int] = dataclasses.field(default_factory=dict)
    traits: Conditions = Conditions()
    aggregates: Conditions = Conditions()
    in_tree: str | None = None


@dataclasses.dataclass(frozen=True)
class Candidates:
    """A request for allocation candidates.

    :param groups: {suffix: group}; the suffix of the group without a number is ""
    :param isolate: whether different providers must meet the groups with a suffix
    :param root: conditions on the root of a tree of providers
    :param limit: most candidates to return, or None
    """

    groups: dict[str, Group]
    isolate: bool = False
    root: Conditions = Conditions()
    limit: int | None = None

    def resources(self) -> dict[str, int]:
        """The sum over all groups."""
        found: dict[str, int] = {}
        for group in self.groups.values():
            for name, amount in group.resources.items():
                found[name] = found.get(name, 0) + amount
        return found
