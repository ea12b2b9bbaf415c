"""Makes a list of calls to a server that speaks qBittorrent's web API and writes down the shapes of its answers.

    qbittorrent_shapes.py calls.json http://127.0.0.1:8080 USER PASSWORD SAVE_FOLDER > shapes.json

A shape is the status, the content type, and for JSON the keys with the kinds of their values. Needs the standard
library alone.
"""

import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

BOUNDARY = "----shapes"


class Server:
    def __init__(self, base, names, torrent):
        self.base = base.rstrip("/")
        self.names = names
        self.cookie = None
        self.files = {"broken": b"no torrent", "multi": torrent}

    def filled(self, text):
        for name, value in self.names.items():
            text = text.replace("{%s}" % name, value)
        return text

    def body(self, call):
        if "files" in call:
            parts = []
            for name, value in call.get("fields", {}).items():
                head = f'Content-Disposition: form-data; name="{name}"'
                parts.append((head, self.filled(value).encode()))
            for name, file in call["files"].items():
                head = f'Content-Disposition: form-data; name="{name}"; filename="{file}.torrent"'
                parts.append((head + "\r\nContent-Type: application/x-bittorrent", self.files[file]))
            lines = [b"--%s\r\n%s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), head.encode(), content) for head, content in parts]
            return b"".join(lines) + b"--%s--\r\n" % BOUNDARY.encode(), f"multipart/form-data; boundary={BOUNDARY}"
        if "form" in call:
            form = {name: self.filled(value) for name, value in call["form"].items()}
            return urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
        return None, None

    def answer(self, call):
        query = {name: self.filled(value) for name, value in call.get("query", {}).items()}
        url = f"{self.base}/api/v2/{call['path']}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        body, kind = self.body(call)
        request = urllib.request.Request(url, data=body, method=call["method"], headers=call.get("headers", {}))
        if kind:
            request.add_header("Content-Type", kind)
        if self.cookie and call.get("auth", True):
            request.add_header("Cookie", self.cookie)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


def shape(value):
    if isinstance(value, dict):
        named = {re.sub("^[0-9a-f]{40}$", "<hash>", key): inside for key, inside in value.items()}
        return {key: shape(inside) for key, inside in sorted(named.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "null" if value is None else "text"


def recorded(status, headers, content):
    kind = (headers.get("Content-Type") or "").split(";")[0].strip().lower()
    record = {"status": status}
    if content:
        record["type"] = kind
    if headers.get("Set-Cookie"):
        flags = [flag.strip().lower() for flag in headers["Set-Cookie"].split(";")[1:]]
        flags = [re.sub("^expires=.*", "expires", flag) for flag in flags]
        record["cookie"] = headers["Set-Cookie"].split("=")[0] + "; " + "; ".join(sorted(flags))
    if kind == "application/json":
        record["json"] = shape(json.loads(content))
    elif content in (b"Ok.", b"Fails."):
        record["text"] = content.decode()
    return record


def settle(server, hash):
    """Adding may be answered before the torrent is there."""
    for _ in range(100):
        _, _, content = server.answer({"method": "GET", "path": "torrents/info", "query": {"hashes": hash}})
        if json.loads(content):
            return
        time.sleep(0.1)
    sys.exit(f"{hash} did not come")


def main():
    path, base, user, password, save = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        listed = json.load(file)
    with open(os.path.join(os.path.dirname(path), "multi.torrent"), "rb") as file:
        torrent = file.read()
    names = {**listed["names"], "user": user, "password": password, "save": save}
    server = Server(base, names, torrent)
    shapes = {}
    for call in listed["calls"]:
        status, headers, content = server.answer(call)
        shapes[call["name"]] = recorded(status, headers, content)
        if call.get("login") and headers.get("Set-Cookie"):
            server.cookie = headers["Set-Cookie"].split(";")[0]
        if "settle" in call:
            settle(server, server.filled(call["settle"]))
    lines = [f"  {json.dumps(name)}: {json.dumps(shapes[name], sort_keys=True)}" for name in shapes]
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
