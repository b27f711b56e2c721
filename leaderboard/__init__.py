"""The READ side: ranking in Redis, its projection from SQL, live push, reconciliation, pages."""
