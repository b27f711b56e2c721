"""What others are told: each change of a score, to RabbitMQ and to webhooks, after the commit and beside every request."""
