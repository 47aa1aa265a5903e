"""`leadscore import`: history from elsewhere, through the same path as everything else."""
