"""Scheduler: which host a server goes to."""
