"""Situations files: what people did, and what a model must say about it."""
