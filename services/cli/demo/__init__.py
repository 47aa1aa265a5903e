"""`leadscore demo`: half a year of synthetic shop traffic, sent as real senders send it.

rows (the data) → people (who they might be) → calls, mails, forms (what they do, shifted to now)
→ send (SDK, webhook, browser) → watch (until counted and delivered) → report (the table).
"""
