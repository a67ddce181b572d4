"""What the embedder's runtime may not do."""

import subprocess
import sys


def test_the_runtime_reports_to_nobody() -> None:
    """ONNX Runtime is told to keep quiet before it is first imported."""
    program = (
        "import os, sys, retrieval; quiet = os.environ['ORT_DISABLE_TELEMETRY'];"
        " print(quiet, 'onnxruntime' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "False"]
