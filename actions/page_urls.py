"""Pages of the actions."""

from django.urls import path

from actions import pages

urlpatterns = [path("play", pages.play, name="play")]
