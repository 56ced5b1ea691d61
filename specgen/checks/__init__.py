"""What only a database can tell about a project, found before anything runs."""
