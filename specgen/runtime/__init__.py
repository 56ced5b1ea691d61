"""Running operations against a database."""
