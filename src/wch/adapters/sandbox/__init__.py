"""The sandbox: stands in for WhatsApp's Graph API and for customers' phones, over real HTTP."""

from wch.adapters.sandbox.faults import Faults
from wch.adapters.sandbox.gateways import SimulatedGateways
from wch.adapters.sandbox.graph import GraphAnswer
from wch.adapters.sandbox.sandbox import PACE_SECONDS, Sandbox
from wch.adapters.sandbox.templates import ApprovedTemplate

__all__ = ["PACE_SECONDS", "ApprovedTemplate", "Faults", "GraphAnswer", "Sandbox", "SimulatedGateways"]
