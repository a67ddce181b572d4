"""The Slack face: reads events, asks the agent, and renders its answers as blocks."""
