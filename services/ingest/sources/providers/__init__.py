"""One module for each provider whose webhooks we take; shared by nobody else: provider.py finds them."""
