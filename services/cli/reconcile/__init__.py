"""`leadscore reconcile`: the promises, checked on the live database."""
