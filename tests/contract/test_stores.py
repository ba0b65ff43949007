"""Every store keeps every promise of the ports."""

from wch.testing.contract import *  # noqa: F403 - the suite is a thing with a name
