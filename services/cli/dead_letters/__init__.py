"""`leadscore dead-letters …`: records that the scorer could not process."""
