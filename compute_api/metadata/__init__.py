"""The metadata service: what a guest may know of itself."""
