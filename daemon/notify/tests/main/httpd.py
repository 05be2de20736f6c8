"""HTTP server for the tests, on Python's own: port on the first line, then one JSON line a request.

Each --reply is a JSON object {"status", "headers", "body"}, answered in order; the last one stays.
"{echo}" in a body stands for the whole request, "{body}" for its body; one with "hold": true is never answered.
"""

import argparse
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--cert")
parser.add_argument("--key")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--reply", action="append", type=json.loads, default=[])
options = parser.parse_args()
replies = options.reply or [{"status": 200}]
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        request = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body,
        }
        with lock:
            print(json.dumps(request), flush=True)
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply.get("hold"):
            threading.Event().wait()
        echo = json.dumps(request, ensure_ascii=False)
        text = reply.get("body", "").replace("{echo}", echo).replace("{body}", body).encode()
        self.send_response(reply["status"])
        for name, value in reply.get("headers", {}).items():
            self.send_header(name, value.replace("{path}", self.path))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = answer

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that breaks off, over a certificate it does not trust, is a case of the tests."""


server = Server(("127.0.0.1", options.port), Handler)
if options.cert:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.cert, options.key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
# The test holds the other end: when it is gone, so is this.
sys.stdin.read()
