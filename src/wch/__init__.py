"""A WhatsApp Commerce Hub: the back office that lets a business sell on WhatsApp."""
