"""Transitions in, deliveries out: qualified leads, with their reasons, to webhooks and the sales queue."""
