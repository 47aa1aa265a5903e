"""The contracts of Leadscore as documents: what it takes, what it sends, what its files may say."""
