"""How a cloud is brought up, watched, audited and taken down."""
