"""Kafka in, Postgres out. Turns events into leads, scores and stage transitions, each event exactly once."""
