"""Embedder, hybrid search, ranking and quote verification; shared by all three loops."""

import os

# ONNX Runtime reports to its maker unless told not to before it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
