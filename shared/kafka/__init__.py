"""Kafka behind two small interfaces: `Publisher` (publish.py) and `Stream` (stream.py)."""
