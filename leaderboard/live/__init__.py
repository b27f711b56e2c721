"""The push side: one hub per process, and the viewers it tells, over WebSocket and Server-Sent Events.

A reader starts at `hub`: announcements come in through `subscription`, a `feed` keeps each board's newest snapshot,
`viewers` get it through their `wires`. Nothing here asks the database anything, but for one look at a session.
"""
