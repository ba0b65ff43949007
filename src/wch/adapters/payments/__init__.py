"""Ways to pay: one module for each gateway, and the row of those that are switched on."""

from wch.adapters.payments.cod import CashOnDelivery
from wch.adapters.payments.switched_on import SwitchedOnPayments

__all__ = ["CashOnDelivery", "SwitchedOnPayments"]
