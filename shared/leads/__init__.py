"""The read side: leads, receipts, timeline and persons, for every reader; imports no service."""
