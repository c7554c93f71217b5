"""The metadata service for guests."""
