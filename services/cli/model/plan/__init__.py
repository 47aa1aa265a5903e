"""`leadscore model plan`: what publishing a draft would do, on the history there is."""
