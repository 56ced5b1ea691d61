"""The command line; the only place where anything is printed or exited."""
