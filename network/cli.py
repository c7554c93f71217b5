"""network-manage: schema."""

from common import manage


def main(argv=None) -> int:
    from network.service import NetworkApi
    args = manage.parser("network")[0].parse_args(argv)
    return manage.database(NetworkApi, "network.db", args)
