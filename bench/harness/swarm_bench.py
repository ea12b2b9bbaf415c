#!/usr/bin/env python3
"""Makes one measurement of one or two BitTorrent clients, and prints it as one line of JSON.

  swarm_bench.py transfer --seed lt21 --leech ours --payload file --size-mib 1024 --work DIR ...
  swarm_bench.py handshakes --kind ours --encrypted
  swarm_bench.py check --kind ours | fanout --kind ours | idle --kind ours
  swarm_bench.py dht --kind ours | magnet --kind ours
  swarm_bench.py prepare --payload files      makes the payload and measures nothing

It starts itself again in a network namespace whose only device is `lo`: nothing leaves the machine,
the byte counter of `lo` belongs to this measurement alone, and clients that refuse peers in 127/8
work. Only the standard library is used; libtorrent is imported by a child process.

The line has `outcome`: `ok`, `differs` (a file is not what was shared) or `failed`, the last two with
a `reason`; `commands` with the command lines; the figures that end in their unit. Figures of a transfer:
  start_s        leecher's process start to the first MiB on `lo`
  rate_mib_s     payload over the time from that MiB to complete
  *_cpu_s_gib    user and system seconds of that process within this time, for each GiB of payload
  bound_mib_s    payload / max(busiest thread, CPU seconds of both / cores): what the two would reach
                 on an otherwise idle machine if only CPU limited them
  wait_s         seconds that threads were runnable but waited for a CPU; a gauge of noise
  *_rss_mib      peak resident memory
Figures of handshakes:
  handshakes_cpu_s  encrypted handshakes of strangers for each second that threads of the seeder were on
                    a CPU, from accepting the connection to its end; the strangers' own CPU is not in it
On loopback the kernel does most of TCP's receiving in the sender's context, so the figure of a sender
is a little high and that of a receiver a little low.
"""
import argparse
import concurrent.futures
import fcntl
import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import urllib.parse

from clients import KINDS, Failed, Job
from payload import MIB, NAMES, Payload, write_idle_torrents
from process import free_port, lo_bytes
from tracker import Tracker

GIB = 1 << 30
HOST = "10.77.0.1"
INSIDE = "PIECEWORK_BENCH_NETNS"
SETTLE_S = 0.3
IDLE_SETTLE_S = 10
DHT_NODES = 20
RUN = "run-"
# linux/fs.h
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, EXT4_TOPDIR = 0x80086601, 0x40086602, 0x00020000


class Differs(Exception):
    """A file is not what was shared."""


def spread_folders(folder):
    """Asks ext4 to put each new folder in here into another part of the drive (chattr +T).

    Else a run makes its files where the last one's were deleted, and for minutes ext4 passes over each
    inode that was freed there before it takes one: who comes first would have it several times cheaper.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        flags = struct.unpack("l", fcntl.ioctl(handle, FS_IOC_GETFLAGS, bytes(8)))[0]
        fcntl.ioctl(handle, FS_IOC_SETFLAGS, struct.pack("l", flags | EXT4_TOPDIR))
    except OSError:
        pass  # Another file system; it has its own way.
    finally:
        os.close(handle)


class Bench:
    """What the measurements share: options, tracker, a scratch folder, and every client started."""

    def __init__(self, options):
        self.options = options
        self.tracker = Tracker(HOST)
        os.makedirs(options.work, exist_ok=True)
        for left in os.listdir(options.work):
            if left.startswith(RUN):
                shutil.rmtree(os.path.join(options.work, left), ignore_errors=True)
        spread_folders(options.work)
        self.scratch = os.path.join(options.work, "%s%d" % (RUN, time.time_ns()))
        os.makedirs(self.scratch)
        self.clients = []

    def client(self, kind, role, folder, tag="", **rest):
        job = Job(role, os.path.join(self.scratch, role + tag), folder, **rest)
        client = KINDS[kind](self.options, HOST, self.tracker, job)
        self.clients.append(client)
        return client

    def payload(self):
        payload = Payload(self.options.work, self.options.payload, self.options.size_mib)
        payload.prepare()
        return payload

    def torrent(self, payload):
        """Writes the payload's torrent; gives its path and its info dictionary."""
        path = os.path.join(self.scratch, "t.torrent")
        return path, payload.write_torrent(self.tracker.url, path)

    def seeder(self, kind, payload, torrent):
        """A seeder that is ready, and its address."""
        seeder = self.client(kind, "seed", payload.folder, torrent=torrent)
        seeder.start()
        seeder.wait(seeder.is_ready, "ready")
        time.sleep(SETTLE_S)
        return seeder, "%s:%d" % (HOST, seeder.port)

    def until(self, is_so, client, since, each=None):
        """Waits for the end of the work; gives the moment it came."""
        while not is_so():
            client.must_live()
            if time.monotonic() > since + self.options.limit_s:
                raise Failed("not complete after %d s, %d MiB on lo" % (
                    self.options.limit_s, lo_bytes() // MIB))
            if each:
                each()
            time.sleep(0.003)
        return time.monotonic()

    def commands(self):
        """One command line for each role."""
        return list({c.job.role: c.shown for c in reversed(self.clients) if c.shown}.values())[::-1]


class Window:
    """CPU time of two processes from the first MiB on `lo` on; what went before is announces."""

    def __init__(self, seeder, leecher):
        self.processes = (seeder.process, leecher.process)
        self.start = None

    def look(self):
        if self.start is None and lo_bytes() > MIB:
            self.start = self._now()

    def figures(self, size, process_start):
        end = self._now()
        start = self.start or end
        span = max(end[0] - start[0], 1e-3)
        cpu = [b - a for a, b in zip(start[1], end[1])]
        busiest, wait = 0.0, 0.0
        for before, after in zip(start[2], end[2]):
            for thread, (run, waited) in after.items():
                run_before, waited_before = before.get(thread, (0, 0))
                busiest = max(busiest, run - run_before)
                wait += waited - waited_before
        bound = max(busiest, sum(cpu) / (os.cpu_count() or 1), 1e-3)
        for process in self.processes:
            process.memory()
        return {
            "start_s": start[0] - process_start, "rate_mib_s": size / MIB / span,
            "seed_cpu_s_gib": cpu[0] / size * GIB, "leech_cpu_s_gib": cpu[1] / size * GIB,
            "bound_mib_s": size / MIB / bound, "wait_s": wait,
            "seed_rss_mib": self.processes[0].peak_kib / 1024,
            "leech_rss_mib": self.processes[1].peak_kib / 1024,
        }

    def _now(self):
        return (time.monotonic(), [process.cpu_s() for process in self.processes],
                [process.threads() for process in self.processes])


def transfer(bench):
    options, payload = bench.options, bench.payload()
    torrent, _ = bench.torrent(payload)
    payload.warm()
    touch_memory(bench.scratch, payload.size)
    seeder, peer = bench.seeder(options.seed, payload, torrent)
    folder = os.path.join(bench.scratch, "data")
    leecher = bench.client(options.leech, "leech", folder, torrent=torrent, peer=peer)
    start = time.monotonic()
    leecher.start()
    window = Window(seeder, leecher)
    bench.until(leecher.is_done, leecher, start, window.look)
    figures = window.figures(payload.size, start)
    leecher.stop()
    must_match(payload, folder)
    return figures


def handshakes(bench):
    """Strangers from as many addresses greet a seeder, in crowds that it can take."""
    options, payload = bench.options, bench.payload()
    torrent, info = bench.torrent(payload)
    seeder, peer = bench.seeder(options.kind, payload, torrent)
    command = [options.strangers, peer, hashlib.sha1(info).hexdigest()]

    def greet(count):
        subprocess.run(command + [str(count)], check=True, stdout=subprocess.DEVNULL)
        time.sleep(SETTLE_S)
        return sum(run for run, _ in seeder.process.threads().values())

    before = greet(1)  # A torrent that rests keeps few waiting: one comes first.
    cpu = greet(options.handshakes) - before
    seeder.stop()
    return {"handshakes_cpu_s": options.handshakes / cpu}


def check(bench):
    """Time from the moment the client gets the torrent, or of the whole process where it is ours."""
    payload = bench.payload()
    torrent, _ = bench.torrent(payload)
    payload.warm()
    client = bench.client(bench.options.kind, "check", payload.folder, torrent=torrent)
    start = time.monotonic()
    client.start()
    wall = bench.until(client.is_done, client, start) - start
    client.stop()
    return {"rate_mib_s": payload.size / MIB / (client.inner_s or wall),
            "cpu_s_gib": client.process.cpu_s() / payload.size * GIB,
            "rss_mib": client.process.peak_kib / 1024}


def fanout(bench):
    """One seeder and many leechers that know only the seeder; CPU of the seeder alone."""
    options, payload = bench.options, bench.payload()
    torrent, _ = bench.torrent(payload)
    payload.warm()
    touch_memory(bench.scratch, payload.size * options.leechers)
    seeder, peer = bench.seeder(options.kind, payload, torrent)
    root = os.path.join(bench.scratch, "data")
    folders = [os.path.join(root, str(index)) for index in range(options.leechers)]
    if options.kind == "lt21":  # sessions of one process, to be spared its interpreters
        leechers = [bench.client("lt21", "leech", root, torrent=torrent, peer=peer,
                                 sessions=options.leechers)]
    else:
        leechers = [bench.client(options.kind, "leech", folder, tag=str(index), torrent=torrent,
                                 peer=peer) for index, folder in enumerate(folders)]
    cpu, start = seeder.process.cpu_s(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda leecher: leecher.start(), leechers))
    left = list(leechers)
    while left:
        bench.until(left[-1].is_done, left[-1], start)
        left.pop()
    span = time.monotonic() - start
    sent = payload.size * options.leechers
    cpu = seeder.process.cpu_s() - cpu
    seeder.process.memory()
    for leecher in leechers:
        leecher.stop()
    for folder in folders:
        must_match(payload, folder)
    return {"seed_cpu_s_gib": cpu / sent * GIB, "rate_mib_s": sent / MIB / span,
            "seed_rss_mib": seeder.process.peak_kib / 1024}


def idle(bench):
    """Memory of one process with one torrent and of one with many, and CPU of the latter at rest.

    One, not none: what the first announce loads for good is no matter of the number of torrents.
    """
    options = bench.options
    torrents, data = write_idle_torrents(bench.scratch, options.torrents, bench.tracker.url)
    one = os.path.join(bench.scratch, "one")
    os.makedirs(one)
    shutil.copy(os.path.join(torrents, sorted(os.listdir(torrents))[0]), one)
    kib, cpu, add_s = [], 0.0, 0.0
    for count, folder in ((1, one), (options.torrents, torrents)):
        client = bench.client(options.kind, "idle", data, tag=str(count), torrents_dir=folder,
                              torrents=count)
        start = time.monotonic()
        client.start()
        client.wait(client.is_ready, "ready", options.limit_s)
        add_s = time.monotonic() - start
        time.sleep(IDLE_SETTLE_S)
        client.must_live()
        kib.append(client.process.memory())
        if count > 1:
            before = client.process.cpu_s()
            time.sleep(options.idle_s)
            cpu = client.process.cpu_s() - before
        client.stop()
    return {"kib_torrent": (kib[1] - kib[0]) / (options.torrents - 1), "rss_mib": kib[1] / 1024,
            "cpu_percent": cpu / options.idle_s * 100, "add_s": add_s}


def dht(bench):
    """CPU at rest in a DHT of libtorrent's nodes, over that of the same process beside it without one.

    It is measured once another node has found the client in the DHT.
    """
    options = bench.options
    torrents, data = write_idle_torrents(bench.scratch, 1, bench.tracker.url)
    name, = os.listdir(torrents)
    info = read(os.path.join(torrents, name)).split(b"4:info", 1)[1][:-1]
    port = free_port(HOST)
    inside = bench.client(options.kind, "dht", data, tag="in", torrents_dir=torrents,
                          dht_router="%s:%d" % (HOST, port))
    outside = bench.client(options.kind, "dht", data, tag="out", torrents_dir=torrents)
    nodes = bench.client("lt21", "nodes", data, sessions=DHT_NODES,
                         info_hash=hashlib.sha1(info).hexdigest(),
                         peer="%s:%d" % (HOST, inside.port))
    nodes.port = port
    for client in (nodes, inside, outside):
        client.start()
        client.wait(client.is_ready, "ready")
    nodes.wait(lambda: nodes.process.lines("FOUND"), "finding the client in the DHT")
    time.sleep(IDLE_SETTLE_S)
    before, packets = [run_s(client) for client in (inside, outside)], udp_datagrams()
    time.sleep(options.idle_s)
    after, packets = [run_s(client) for client in (inside, outside)], udp_datagrams() - packets
    for client in (nodes, inside, outside):
        client.must_live()
    within, without = ((b - a) / options.idle_s * 100 for a, b in zip(before, after))
    return {"over_percent": within - without, "within_percent": within,
            "without_percent": without, "datagrams": packets}


def run_s(client):
    """CPU seconds of all threads, finer than the ticks that the whole process is counted in."""
    return sum(run for run, _ in client.process.threads().values())


def udp_datagrams():
    """Datagrams that came in this network namespace."""
    with open("/proc/self/net/snmp") as file:
        names, values = [line.split() for line in file if line.startswith("Udp:")]
    return int(values[names.index("InDatagrams")])


def magnet(bench):
    """Time to metadata from the moment the client gets the link, or of the whole process (ours)."""
    options, payload = bench.options, bench.payload()
    torrent, info = bench.torrent(payload)
    _, peer = bench.seeder("lt21", payload, torrent)
    link = "magnet:?xt=urn:btih:%s&tr=%s&x.pe=%s" % (
        hashlib.sha1(info).hexdigest(), urllib.parse.quote(bench.tracker.url, safe=""), peer)
    folder = os.path.join(bench.scratch, "data")
    client = bench.client(options.kind, "magnet", folder, magnet=link, peer=peer)
    start = time.monotonic()
    client.start()
    wall = bench.until(client.is_done, client, start) - start
    client.stop()
    found = [os.path.join(folder, name) for name in os.listdir(folder)]
    if not any(os.path.isfile(path) and info in read(path) for path in found):
        raise Differs("no file holds the info dictionary that was shared")
    return {"inner_s": client.inner_s or wall, "wall_s": wall, "metadata_bytes": len(info)}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def touch_memory(folder, size):
    """Fills as much page cache as the download will, and frees it again.

    A virtual machine gets memory from its host at the first touch, which costs several times the
    copy that touches it; whoever comes first would pay for that.
    """
    path, zeros = os.path.join(folder, "touched"), bytes(MIB)
    with open(path, "wb", buffering=0) as file:
        for _ in range(0, size, MIB):
            file.write(zeros)
    os.unlink(path)


def must_match(payload, folder):
    difference = payload.differs(folder)
    if difference:
        raise Differs(difference)


def measure(options):
    bench = Bench(options)
    record = {"outcome": "ok"}
    try:
        record.update({"transfer": transfer, "handshakes": handshakes, "check": check, "fanout": fanout, "idle": idle, "dht": dht,
                       "magnet": magnet}[options.case](bench))
    except Differs as differs:
        record.update(outcome="differs", reason=str(differs))
    except (Failed, OSError, ValueError, KeyError, subprocess.SubprocessError) as failed:
        record.update(outcome="failed", reason=str(failed) or type(failed).__name__)
    finally:
        for client in reversed(bench.clients):
            client.stop()
        record["commands"] = bench.commands()
        if record["outcome"] == "ok" or not options.keep:
            shutil.rmtree(bench.scratch, ignore_errors=True)
    return record


def enter_namespace():
    """Comes back only inside a network namespace of its own."""
    if os.environ.get(INSIDE) != "1":
        flags = "-n" if os.geteuid() == 0 else "-rn"
        command = ["unshare", flags, sys.executable, os.path.abspath(__file__)] + sys.argv[1:]
        os.execvpe("unshare", command, dict(os.environ, **{INSIDE: "1"}))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", HOST + "/32", "dev", "lo"], check=True)
    try:  # the same everywhere; a system's own default may pace its packets
        with open("/proc/sys/net/ipv4/tcp_congestion_control", "w") as file:
            file.write("reno")
    except OSError as error:
        print("the system's congestion control stays:", error, file=sys.stderr)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cases = ["prepare", "transfer", "handshakes", "check", "fanout", "idle", "dht", "magnet"]
    parser.add_argument("case", choices=cases)
    parser.add_argument("--work", required=True, help="folder for payloads and runs")
    parser.add_argument("--payload", choices=NAMES, default="file")
    parser.add_argument("--size-mib", type=int, default=1024, help="of the payloads of one file")
    parser.add_argument("--seed", choices=KINDS, default="lt21")
    parser.add_argument("--leech", choices=KINDS, default="lt21")
    parser.add_argument("--kind", choices=KINDS, default="lt21")
    parser.add_argument("--limit-s", type=float, default=120)
    parser.add_argument("--leechers", type=int, default=20)
    parser.add_argument("--torrents", type=int, default=1000)
    parser.add_argument("--idle-s", type=float, default=60)
    parser.add_argument("--handshakes", type=int, default=2000)
    parser.add_argument("--encrypted", action="store_true", help="RC4 and nothing else")
    parser.add_argument("--strangers", default="piecework-strangers")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a failed run")
    parser.add_argument("--lt21-python", default="python3")
    parser.add_argument("--lt20-python", default="/usr/bin/python3")
    parser.add_argument("--rqbit", default="rqbit")
    parser.add_argument("--ours-binary", default="piecework")
    for role in ("seed", "leech", "check", "idle", "dht", "magnet"):
        parser.add_argument("--ours-" + role, default="", help="command line with {placeholders}")
    return parser.parse_args()


def main():
    options = parse_arguments()
    options.work = os.path.abspath(options.work)
    if options.case == "prepare":
        os.makedirs(os.path.join(options.work, "payload"), exist_ok=True)
        Payload(options.work, options.payload, options.size_mib).prepare()
        return
    enter_namespace()
    # So that the clients are stopped, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(json.dumps(measure(options)), flush=True)


if __name__ == "__main__":
    main()
