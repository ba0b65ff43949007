"""The rules of the trade: frozen values that know no clock, no store and no network."""
