"""Runs calls that would block all green threads in native threads, if the entry module has set ``EXECUTOR``."""

import typing


def _direct(work: typing.Callable, *args, **kwargs):
    return work(*args, **kwargs)


# An entry module that patches eventlet sets this to eventlet.tpool.execute.
EXECUTOR: typing.Callable = _direct


def execute(work: typing.Callable, *args, **kwargs):
    """Run blocking or CPU-bound C code (a password hash, libvirt) in a native thread if threads are green."""
    return EXECUTOR(work, *args, **kwargs)
