"""Identity: who may ask for what. Users, projects, roles, the catalog and signed tokens."""
