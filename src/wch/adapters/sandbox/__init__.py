"""The sandbox: stands in for WhatsApp's Graph API and for customers' phones, over real HTTP."""

from wch.adapters.sandbox.gateways import SimulatedGateways
from wch.adapters.sandbox.graph import GraphAnswer
from wch.adapters.sandbox.sandbox import Sandbox
from wch.adapters.sandbox.templates import ApprovedTemplate

__all__ = ["ApprovedTemplate", "GraphAnswer", "Sandbox", "SimulatedGateways"]
