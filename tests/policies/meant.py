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

_CERTIFICATES = "Signatures of images are not checked here: a request with certificates is refused with 400."
# service -> rule of OpenStack whose route Pileus has, but which cannot be asked here -> why.
NOT_ASKED: dict[str, dict[str, str]] = {
    "identity": {
    },
    "compute": {
        "compute:server:topology:host:index": "No guest has NUMA cells: a topology has nothing for operators alone.",
        "os_compute_api:servers:create:trusted_certs": _CERTIFICATES,
        "os_compute_api:servers:rebuild:trusted_certs": _CERTIFICATES,
    },
    "image": {
    },
    "volume": {
    },
    "network": {
    },
}
