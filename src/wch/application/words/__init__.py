"""What a customer's text means: one intent, by words alone, in five languages."""

from wch.application.words.intent import Intent, Understood
from wch.application.words.normal import LONGEST, normalised
from wch.application.words.understanding import understand, understand_number

__all__ = ["LONGEST", "Intent", "Understood", "normalised", "understand", "understand_number"]
