"""Races: many requests at once for what only some of them may get, on every database."""
