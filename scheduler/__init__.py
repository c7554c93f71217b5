"""The scheduler: chooses hosts for servers."""
