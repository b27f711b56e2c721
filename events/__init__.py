"""What others are told: each change of a score, to RabbitMQ and to webhooks, after the commit, beside the requests."""
