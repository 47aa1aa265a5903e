"""The pure scoring engine: model, conditions, fold, decay, stages, receipts.

In: a model, events, a moment. Out: scores with receipts, stage transitions, the next moment to look again.
Refuses all I/O: no clock, no file, no database, no network, no randomness.
"""
