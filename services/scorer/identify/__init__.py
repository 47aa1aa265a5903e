"""Whose event is it: identifiers in, one lead out."""
