"""Slack's blocks drawn as HTML, to see without Slack what people there see."""
