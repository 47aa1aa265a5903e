"""Warnings about a model that is valid and yet hardly meant."""
