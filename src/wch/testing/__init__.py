"""Shipped for hosts: an in-memory hub, a clock that stands still, and the suites an adapter must pass."""
