"""A tracker that gives every leecher the seeder and nobody else: each measured byte comes from there."""
import socket
import struct
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from payload import bencode


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


class Tracker:
    def __init__(self, host):
        self._lock = threading.Lock()
        self._peers = {}
        self._events = []
        self.seeders = set()  # by port
        tracker = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                body = bencode({"files": {}})
                if url.path == "/announce":
                    body = tracker._announce(url.query, self.client_address[0])
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass
                self.close_connection = True

        server = Server((host, 0), Handler)
        self.url = "http://%s:%d/announce" % (host, server.server_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def seen(self, port, event=None, is_complete=False):
        """Whether the client at `port` has announced `event`, or with nothing left."""
        with self._lock:
            return any(p == port and event in (None, e) and (left == 0 or not is_complete)
                       for p, e, left in self._events)

    def _announce(self, query, address):
        fields = {}
        for field in query.split("&"):
            key, _, value = field.partition("=")
            fields[key] = urllib.parse.unquote_to_bytes(value)
        info_hash, port = fields.get("info_hash", b""), int(fields.get("port", b"0"))
        event, left = fields.get("event", b"").decode(), int(fields.get("left", b"0") or 0)
        with self._lock:
            self._events.append((port, event, left))
            swarm = self._peers.setdefault(info_hash, set())
            peers = []
            if event == "stopped":
                swarm.discard((address, port))
            else:
                peers = [p for p in swarm if p[1] in self.seeders and port not in self.seeders]
                swarm.add((address, port))
        compact = b"".join(socket.inet_aton(ip) + struct.pack(">H", p) for ip, p in peers)
        return bencode({"interval": 1800, "min interval": 900, "complete": 1, "incomplete": 0,
                        "peers": compact})
