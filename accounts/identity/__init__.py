"""Whose a token is. REST, WebSocket and SSE ask the same list of identity providers (`providers.prove`)."""
