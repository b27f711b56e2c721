"""What people who run the site see and are told: the first page of admin, the moderators' page, notices."""
