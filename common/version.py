"""The version of this release."""

import argparse
import functools
import pathlib
import tomllib
from importlib import metadata


@functools.cache
def text() -> str:
    """The installed version, or that in pyproject.toml of a clone."""
    try:
        return metadata.version("pileus")
    except metadata.PackageNotFoundError:
        project = pathlib.Path(__file__).resolve().parent.parent / "pyproject.toml"
        return tomllib.loads(project.read_text())["project"]["version"]


class Version(argparse.Action):
    """``--version``; determined only when requested, because that is slow."""

    def __init__(self, option_strings, dest, help="show the version and exit"):
        super().__init__(option_strings, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser, namespace, values, option_string=None):
        print(f"{parser.prog.partition(' ')[0]} {text()}")
        parser.exit()
