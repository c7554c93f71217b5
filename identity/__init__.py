"""The identity service: users, projects, roles, the catalog and signed tokens."""
