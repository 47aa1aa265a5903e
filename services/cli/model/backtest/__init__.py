"""`leadscore model backtest`: whether the score, as it was then, found the leads that converted."""
