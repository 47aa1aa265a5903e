"""The scorer's SQL, one module per table. Thin effects: rows in, rows out, no rule of the field in here.

All of it runs inside the caller's transaction, with arrays through `unnest` (one prepared plan for any
batch size; measured at or near the best from 100 to 2,000 rows).
Order of locks everywhere: partition_offsets, then leads by id, then identities sorted, then the rest.
"""
