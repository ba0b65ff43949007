"""The sandbox: stands in for WhatsApp's Graph API and for customers' phones, over real HTTP."""

from wch.adapters.sandbox.sandbox import Sandbox

__all__ = ["Sandbox"]
