"""The push side: one hub per process, and the viewers it tells, over WebSocket and Server-Sent Events.

`routing` leads to `consumers` (WebSocket) and `stream` (SSE), one consumer for each viewer. The `hub` is one member of
the channel layer's `groups`; a `feed` keeps a board's newest snapshot; each `viewer` gets it through its `transport`.
Nothing here asks the database anything, but for one look at a session.
"""
