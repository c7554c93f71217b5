"""Histories of two compute hosts, in one process and one thread: what happens in which order is chosen, not raced for."""
