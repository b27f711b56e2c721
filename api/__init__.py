"""The HTTP conventions every app shares: problem+json errors, strict JSON, request ids, logs, metrics."""
