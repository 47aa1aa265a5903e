"""Scoring models on their way into force: read, stored, published, and all leads scored anew."""
