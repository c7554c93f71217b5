"""Where calls that would stop every green thread are run: set by the entry module, plain calls otherwise."""

import typing


def _direct(work: typing.Callable, *args, **kwargs):
    return work(*args, **kwargs)


# An entry module that patches eventlet sets this to eventlet.tpool.execute.
EXECUTOR: typing.Callable = _direct


def execute(work: typing.Callable, *args, **kwargs):
    """Run CPU- or C-bound work (a password hash, libvirt) in a native thread where threads are green."""
    return EXECUTOR(work, *args, **kwargs)
