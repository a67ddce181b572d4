"""Settings, errors, logging and the Celery app: a closed list that every layer may import."""
