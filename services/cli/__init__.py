"""The `leadscore` command: the one place that may import every service."""
