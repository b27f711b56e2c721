from typing import Any

from django.db import migrations

# A catalogue to start from; admins change it. Present means present: a later run does not restore what was edited.
CATALOGUE = [
    {"slug": "COMPLETE_TASK", "title": "Complete a task", "points": 10, "granted_by": "player", "min_seconds": 1},
    {"slug": "WIN_MATCH", "title": "Win a match", "points": 50, "granted_by": "back_end"},
    {"slug": "DAILY_LOGIN", "title": "Come back today", "points": 5, "granted_by": "player", "cooldown": 86_400},
]


def create(apps: Any, schema_editor: Any) -> None:
    action_type = apps.get_model("actions", "ActionType")
    for entry in CATALOGUE:
        action_type.objects.get_or_create(slug=entry["slug"], defaults=entry)


class Migration(migrations.Migration):
    dependencies = [("actions", "0002_functions")]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
