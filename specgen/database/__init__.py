"""Databases to work on: providers, connections, deployment."""
