"""What the bot listens to: each module reads one kind of thing that Slack sends."""
