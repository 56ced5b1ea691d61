"""Upgrades of the runtime: what an earlier version left goes on, and what does not fit is refused."""
