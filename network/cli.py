"""network-manage: schema."""

import argparse

from common import manage


def build_parser() -> argparse.ArgumentParser:
    return manage.parser("network")[0]


@manage.explained
def main(argv=None) -> int:
    from network.service import NetworkApi
    args = build_parser().parse_args(argv)
    return manage.database(NetworkApi, "network.db", args)
