"""The shop assistant: leads a customer from the first word to the order."""
