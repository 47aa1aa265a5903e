"""Grafana dashboards: a page each, written as JSON."""
