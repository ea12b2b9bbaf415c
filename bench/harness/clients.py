"""The clients that are compared, each behind the same few verbs.

All run on plain TCP without DHT, uTP, peer exchange or limits, and without encryption but where a
measurement is about it. Rivals get settings that serve speed; ours runs on the command line that it is
given.
"""
import base64
import http.client
import json
import json
import os
import shlex
import signal
import time
import urllib.parse

from process import Process, free_port

MIB = 1 << 20
HERE = os.path.dirname(os.path.abspath(__file__))
START_S = 120
API = "127.0.0.1"


class Failed(Exception):
    """A client did not do what was asked of it."""


class Job:
    """What a client is to do. `role` is seed, leech, check, idle, dht, nodes or magnet."""

    def __init__(self, role, scratch, folder, **rest):
        self.role, self.scratch, self.folder = role, scratch, folder
        self.torrent = rest.get("torrent", "")
        self.torrents_dir = rest.get("torrents_dir", "")
        self.torrents = rest.get("torrents", 1)
        self.magnet = rest.get("magnet", "")
        self.peer = rest.get("peer", "")
        self.sessions = rest.get("sessions", 1)
        self.dht_router = rest.get("dht_router", "")
        self.info_hash = rest.get("info_hash", "")


class Client:
    """One client process. `inner_s` is the time of its work without its own start, where it tells."""

    def __init__(self, options, host, tracker, job):
        self.options, self.host, self.tracker, self.job = options, host, tracker, job
        self.port = free_port(host)
        if job.role == "seed":
            tracker.seeders.add(self.port)
        os.makedirs(job.scratch, exist_ok=True)
        os.makedirs(job.folder, exist_ok=True)
        self.process, self.inner_s, self.shown = None, None, ""

    def spawn(self, command, env=None):
        command = [str(word) for word in command]
        self.shown = self._shown(command)
        self.process = Process(command, os.path.join(self.job.scratch, "log"), env)

    def start(self):
        """Starts it and tells it what to do."""
        raise NotImplementedError

    def is_ready(self):
        """Whether a seeder seeds."""
        return self.tracker.seen(self.port, is_complete=True)

    def is_done(self):
        """Whether the work has ended well."""
        return self.process.exit_code() == 0

    def wait(self, is_so, what, limit_s=START_S):
        end = time.monotonic() + limit_s
        while not is_so():
            self.must_live()
            if time.monotonic() > end:
                raise Failed("%s: not %s after %d s" % (type(self).__name__, what, limit_s))
            time.sleep(0.005)

    def must_live(self):
        code = self.process.exit_code()
        if code is not None and not self.is_done():
            raise Failed("%s: exit status %s: %s" % (
                type(self).__name__, code, self.process.last_line()[-160:]))

    def stop(self):
        if self.process:
            self.process.stop()

    def _shown(self, command):
        """The command line with names in place of this machine's folders and ports."""
        job = self.job
        names = [(job.magnet, "MAGNET"), (job.torrent, "T.torrent"), (job.torrents_dir, "TORRENTS"),
                 (job.folder, "D"), (job.scratch, "SCRATCH"), (job.peer, "HOST:PORT"),
                 (HERE, "harness"), (self.host, "HOST"), (str(self.port), "PORT")]
        words = [os.path.basename(command[0])] + command[1:]
        for value, name in names:
            if value:
                words = [word.replace(value, name) for word in words]
        return shlex.join(words)


class Libtorrent(Client):
    def start(self):
        job = self.job
        role = "idle" if job.role == "dht" else job.role
        command = [self.python(), os.path.join(HERE, "libtorrent_child.py"), role,
                   "--dir", job.folder, "--host", self.host, "--port", self.port]
        for option, value in (("--torrents-dir", job.torrents_dir), ("--magnet", job.magnet),
                              ("--torrent", job.torrent), ("--peer", job.peer),
                              ("--dht-router", job.dht_router), ("--info-hash", job.info_hash)):
            if value:
                command += [option, value]
        if job.sessions > 1:
            command += ["--sessions", job.sessions]
        if self.options.encrypted:
            command += ["--encrypted"]
        self.spawn(command)

    def python(self):
        return self.options.lt21_python

    def is_ready(self):
        return bool(self.process.lines("READY"))

    def is_done(self):
        lines = self.process.lines("DONE")
        if lines:
            self.inner_s = float(lines[0].split()[1])
        return bool(lines)


class Libtorrent20(Libtorrent):
    def python(self):
        return self.options.lt20_python


class Ours(Client):
    """Ready at a READY line for each torrent, complete at a DONE line or exit status 0."""

    def start(self):
        job = self.job
        template = getattr(self.options, "ours_" + job.role)
        if not template:
            raise Failed("no command line for the role %s" % job.role)
        values = {
            "torrent": job.torrent, "dir": job.folder, "port": self.port, "host": self.host,
            "peer": job.peer, "scratch": job.scratch, "torrents_dir": job.torrents_dir,
            "dht": "--dht-router=" + job.dht_router if job.dht_router else "--no-dht",
            "magnet": job.magnet, "binary": self.options.ours_binary,
            "child": os.path.join(HERE, "libtorrent_child.py"),
            "encryption": "require" if self.options.encrypted else "off",
            "encrypted": "--encrypted" if self.options.encrypted else "",
        }
        words = [word.format(**values) for word in shlex.split(template)]
        self.spawn([word for word in words if word])

    def is_ready(self):
        return len(self.process.lines("READY")) >= (self.job.torrents if self.is_real() else 1)

    def is_done(self):
        lines = self.process.lines("DONE")
        if lines and not self.is_real():
            self.inner_s = float(lines[0].split()[1])
        is_done = bool(lines) or self.process.exit_code() == 0
        if is_done and self.is_real() and self.job.role == "magnet":
            told = [json.loads(line) for line in self.process.lines("{")]
            self.inner_s = next((it["seconds"] for it in told if "seconds" in it), None)
        return is_done

    def is_real(self):
        """Whether it is ours, not libtorrent standing in."""
        return "libtorrent_child" not in self.shown


class Transmission(Client):
    POLL_S = 0.05
    SETTINGS = {
        "dht-enabled": False, "lpd-enabled": False, "utp-enabled": False, "pex-enabled": False,
        "port-forwarding-enabled": False, "encryption": 0, "speed-limit-up-enabled": False,
        "speed-limit-down-enabled": False, "alt-speed-enabled": False,
        "ratio-limit-enabled": False, "idle-seeding-limit-enabled": False,
        "download-queue-enabled": False, "seed-queue-enabled": False, "peer-limit-global": 2000,
        "peer-limit-per-torrent": 500, "upload-slots-per-torrent": 200, "cache-size-mb": 64,
        "preallocation": 1, "prefetch-enabled": True, "rpc-enabled": True, "rpc-bind-address": API,
        "rpc-whitelist-enabled": False, "rpc-host-whitelist-enabled": False,
        "rpc-authentication-required": False, "rename-partial-files": False,
        "trash-original-torrent-files": False, "blocklist-enabled": False,
        "peer-port-random-on-start": False, "message-level": 1,
        "scrape-paused-torrents-enabled": False,
    }

    def start(self):
        self.api, self.session, self.polled = free_port(API), "", 0.0
        settings = os.path.join(self.job.scratch, "settings")
        os.makedirs(settings)
        with open(os.path.join(settings, "settings.json"), "w") as file:
            json.dump(dict(self.SETTINGS, **{
                "download-dir": self.job.folder, "peer-port": self.port, "rpc-port": self.api,
                "bind-address-ipv4": self.host}), file)
        self.spawn(["transmission-daemon", "-f", "-g", settings])
        self.wait(self.answers, "answering")
        with open(self.job.torrent, "rb") as file:
            metainfo = base64.b64encode(file.read()).decode()
        is_held = self.job.role != "leech"
        added = self.call("torrent-add", **{
            "metainfo": metainfo, "download-dir": self.job.folder, "paused": is_held})
        self.id = added["torrent-added"]["id"]
        if is_held:  # checked first, so that nothing is hashed during the upload
            self.check()
        if self.job.role == "seed":
            self.call("torrent-start-now", ids=[self.id])

    def check(self):
        start = time.monotonic()
        self.call("torrent-verify", ids=[self.id])

        def is_checked():
            status = self.status("status", "haveValid", "sizeWhenDone")
            return (status["status"] not in (1, 2) and time.monotonic() - start > 0.3
                    and status["haveValid"] >= status["sizeWhenDone"])

        self.wait(is_checked, "checked")
        self.inner_s = time.monotonic() - start

    def is_ready(self):
        return self.status("status")["status"] == 6 and super().is_ready()

    def is_done(self):
        if self.job.role == "check":
            return self.inner_s is not None
        if time.monotonic() < self.polled + self.POLL_S or self.process.exit_code() is not None:
            return False
        self.polled = time.monotonic()
        status = self.status("leftUntilDone", "sizeWhenDone")
        return status["sizeWhenDone"] > 0 and status["leftUntilDone"] == 0

    def answers(self):
        try:
            self.call("session-get")
            return True
        except OSError:
            return False

    def status(self, *fields):
        return self.call("torrent-get", ids=[self.id], fields=list(fields))["torrents"][0]

    def call(self, method, **arguments):
        body = json.dumps({"method": method, "arguments": arguments})
        for _ in range(2):
            headers = {"X-Transmission-Session-Id": self.session}
            code, fields, answer = request("POST", self.api, "/transmission/rpc", body, headers)
            if code == 409:
                self.session = fields["X-Transmission-Session-Id"]
                continue
            answer = json.loads(answer)
            if answer["result"] != "success":
                raise Failed("Transmission: %s: %s" % (method, answer["result"]))
            return answer["arguments"]
        raise Failed("Transmission: %s is refused" % method)


class Aria2(Client):
    COMMON = [
        "--no-conf=true", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false",
        "--enable-peer-exchange=false", "--disable-ipv6=true", "--bt-max-peers=0",
        "--bt-min-crypto-level=plain", "--bt-require-crypto=false", "--max-overall-upload-limit=0",
        "--max-overall-download-limit=0", "--summary-interval=0", "--console-log-level=warn",
        "--show-console-readout=false", "--allow-overwrite=true", "--disk-cache=64M",
        "--file-allocation=none", "--bt-max-open-files=500",
    ]
    ROLES = {
        "seed": ["--bt-seed-unverified=true", "--check-integrity=false", "--seed-ratio=0.0"],
        "check": ["--check-integrity=true", "--hash-check-only=true", "--seed-time=0"],
        "leech": ["--seed-time=0"],
    }

    def start(self):
        self.spawn(["aria2c"] + self.COMMON + self.ROLES[self.job.role] + [
            "--dir=" + self.job.folder, "--listen-port=%d" % self.port, "--interface=" + self.host,
            "--torrent-file=" + self.job.torrent])

    def is_done(self):
        is_announced = self.job.role == "leech" and self.tracker.seen(self.port, "completed")
        return is_announced or self.process.exit_code() == 0


class Rqbit(Client):
    POLL_S = 0.05

    def start(self):
        self.api, self.polled = free_port(API), 0.0
        scratch = self.job.scratch
        self.spawn([self.options.rqbit, "-v", "error", "--disable-dht", "--disable-lsd",
                    "--disable-upnp-port-forward", "--ipv4-only", "--listen-ip", self.host,
                    "--listen-port", self.port, "--http-api-listen-addr", "%s:%d" % (API, self.api),
                    "--http-api-max-upload-size", 64 * MIB, "server", "start",
                    "--disable-persistence", self.job.folder],
                   {"HOME": scratch, "XDG_DATA_HOME": scratch, "XDG_CACHE_HOME": scratch})
        self.wait(self.answers, "answering")
        query = {"overwrite": "true"}
        if self.job.peer:
            query["initial_peers"] = self.job.peer
        with open(self.job.torrent, "rb") as file:
            metainfo = file.read()
        start = time.monotonic()
        path = "/torrents?" + urllib.parse.urlencode(query)
        self.id = self.json("POST", path, metainfo)["id"]
        if self.job.role != "leech":
            self.wait(self.is_finished, "complete")
            self.inner_s = time.monotonic() - start

    def is_ready(self):
        return True

    def is_done(self):
        if self.job.role != "leech":
            return self.inner_s is not None
        if time.monotonic() < self.polled + self.POLL_S or self.process.exit_code() is not None:
            return False
        self.polled = time.monotonic()
        return self.is_finished()

    def is_finished(self):
        return self.json("GET", "/torrents/%d/stats/v1" % self.id)["finished"]

    def answers(self):
        try:
            return request("GET", self.api, "/")[0] == 200
        except OSError:
            return False

    def json(self, method, path, body=None):
        code, _, answer = request(method, self.api, path, body)
        if code >= 300:
            raise Failed("rqbit: %s: %d %s" % (path.split("?")[0], code, answer[:160]))
        return json.loads(answer)

    def stop(self):
        if self.process:
            self.process.stop(signal.SIGINT)


def request(method, port, path, body=None, headers=None):
    connection = http.client.HTTPConnection(API, port, timeout=START_S)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


KINDS = {"ours": Ours, "lt21": Libtorrent, "lt20": Libtorrent20, "transmission": Transmission,
         "aria2": Aria2, "rqbit": Rqbit}
