"""Language models that speak the protocol that most of them speak."""
