import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("flags", "Suspicious play was flagged"),
                            ("drift", "Board and database differed"),
                            ("dead-work", "Queued work is dead"),
                            ("projection", "Redis does not take the board"),
                        ],
                        max_length=16,
                    ),
                ),
                ("count", models.PositiveBigIntegerField(help_text="Of what: the sentence says.")),
                ("sentence", models.TextField()),
                ("path", models.CharField(help_text="Where to act, on this site.", max_length=200)),
                ("upto", models.DateTimeField()),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("tries", models.PositiveSmallIntegerField(default=0, help_text="To mail it.")),
                (
                    "mailed_at",
                    models.DateTimeField(
                        help_text="Empty: no addressees, or the mail server did not take it.", null=True
                    ),
                ),
            ],
            options={
                "db_table": "notices",
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["cause", "-id"], name="notices_latest")],
            },
        ),
    ]
