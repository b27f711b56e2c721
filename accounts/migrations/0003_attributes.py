from typing import Any

from django.db import migrations

# To start from; admins change it.
ATTRIBUTES = [{"name": "region", "kind": "text"}]


def create(apps: Any, schema_editor: Any) -> None:
    attribute = apps.get_model("accounts", "PlayerAttribute")
    for entry in ATTRIBUTES:
        attribute.objects.get_or_create(name=entry["name"], defaults=entry)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_functions")]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
