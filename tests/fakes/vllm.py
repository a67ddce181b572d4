"""A stand-in for vLLM's server: `python -m tests.fakes.vllm FOLDER PORT` says what it was asked.

A folder whose name begins with `broken` cannot be loaded.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Answers with its folder's name and the request that it got."""

    folder = ""

    def do_GET(self) -> None:
        """Say that all is well."""
        self._send("application/json", b"{}")

    def do_POST(self) -> None:
        """Say, whole or as a stream, what was asked."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if body["messages"][0]["content"] == "fail":
            told = {"error": {"message": "no", "type": "x", "param": None, "code": "y"}}
            self._send("application/json", json.dumps(told).encode(), 400)
            return
        said = f"{self.folder} {body['model']} {body['temperature']}"
        if body.get("stream"):
            event = {"id": "1", "choices": [{"index": 0, "delta": {"content": said}}]}
            lines = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n"
            self._send("text/event-stream", lines.encode())
            return
        message = {"role": "assistant", "content": said}
        whole = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        self._send("application/json", json.dumps(whole).encode())

    def _send(self, kind: str, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main(folder: Path, port: int) -> None:
    """Serve until killed."""
    if folder.name.startswith("broken"):
        sys.exit(3)
    Handler.folder = folder.name
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
