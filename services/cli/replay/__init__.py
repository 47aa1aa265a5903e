"""`leadscore replay`: every lead scored anew from its stored events."""
