"""`leadscore person …`: what somebody demands who is scored."""
