"""Routes of actions, below /api/v1/."""

from django.urls import path

from actions import award_views, views

urlpatterns = [
    path("action/types", views.ActionTypesView.as_view(), name="action-types"),
    path("action/token", views.MintView.as_view(), name="action-token"),
    path("awards", award_views.AwardsView.as_view(), name="awards"),
    path("awards/batch", award_views.AwardBatchView.as_view(), name="award-batch"),
    path("awards/<opaque:award_id>", award_views.AwardView.as_view(), name="award"),
    path("score/batch", views.BatchView.as_view(), name="score-batch"),
    path("score/requests/<id:work_id>", views.QueuedWorkView.as_view(), name="queued-work"),
    path("score/update", views.UpdateView.as_view(), name="score-update"),
]
