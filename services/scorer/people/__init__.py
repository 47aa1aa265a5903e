"""Leads that may be other people than it seems: grouped anew, joined and taken apart."""
