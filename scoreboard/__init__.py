"""The WRITE side: totals, the append-only history and the ledger that alone changes a total."""
