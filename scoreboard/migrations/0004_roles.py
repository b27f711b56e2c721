from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("scoreboard", "0003_apikey_bonus")]

    operations = [
        # Whoever could enter the admin site before keeps that.
        migrations.RunSQL(
            "UPDATE users SET role = 'admin', is_staff = true WHERE is_staff OR is_superuser OR role = 'admin'",
            migrations.RunSQL.noop,
        ),
        migrations.AlterField(
            model_name="user",
            name="role",
            field=models.CharField(
                choices=[("player", "Player"), ("moderator", "Moderator"), ("admin", "Admin")],
                default="player",
                help_text="Moderators give bonuses and read histories over the API; admins may also enter this site.",
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=Q(("is_staff", True), ("role", "admin"))
                | (Q(("role", "admin"), _negated=True) & Q(("is_staff", False))),
                name="users_staff_are_admins",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=Q(("is_superuser", False)) | Q(("role", "admin")),
                name="users_superusers_are_admins",
                violation_error_message="A superuser's role is admin.",
            ),
        ),
    ]
