"""The push side: one hub per process, and the viewers it tells, over WebSocket and Server-Sent Events.

`routing` leads to `consumers` (WebSocket) and `stream` (SSE), one consumer for each viewer. The `hub` is one member of
the channel layer's `groups`; a `feed` keeps a board's newest snapshot; each `viewer` gets it through its `transport`.
No push asks PostgreSQL anything. What does, runs in threads: which boards there are, once a second; a session, once for
each viewer; and the player whom a token of the site names, who is made when seen for the first time.
"""
