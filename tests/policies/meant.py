"""What differs from OpenStack's policies on purpose, with the reason: doc/policies.md shows these tables to operators."""

# service -> rule -> why its default, or the rule itself, is not OpenStack's.
MEANT: dict[str, dict[str, str]] = {
    "identity": {
    },
    "compute": {
    },
    "image": {
    },
    "volume": {
    },
    "network": {
    },
}

# service -> rule of OpenStack whose route Pileus has, but which cannot be asked here -> why.
NOT_ASKED: dict[str, dict[str, str]] = {
    "identity": {
    },
    "compute": {
    },
    "image": {
    },
    "volume": {
    },
    "network": {
    },
}
