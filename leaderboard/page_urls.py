"""Pages of the read side."""

from django.urls import path

from leaderboard import pages

urlpatterns = [
    path("", pages.board_page, name="board"),
    path("enter", pages.enter, name="enter"),
    path("embed", pages.embedding, name="docs-embed"),
    path("embed/<str:board>", pages.embed, name="embed"),
]
