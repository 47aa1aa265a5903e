"""Model, events and time → state, score, receipt and stage. Pure values; no file format is known here."""
