"""Routes of actions, below /api/v1/."""

from django.urls import path

from actions import views

urlpatterns = [
    path("action/types", views.ActionTypesView.as_view(), name="action-types"),
    path("action/token", views.MintView.as_view(), name="action-token"),
    path("score/batch", views.BatchView.as_view(), name="score-batch"),
    path("score/requests/<id:work_id>", views.QueuedWorkView.as_view(), name="queued-work"),
    path("score/update", views.UpdateView.as_view(), name="score-update"),
]
