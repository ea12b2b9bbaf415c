#!/usr/bin/python3
"""libtorrent 2.0 as a peer, as a maker of torrents and as a judge of finished files.

The interop harness starts it with Debian's interpreter, the only one that has the module.
Every line on stdout is one JSON object; a peer's lines carry an `event`.
"""
import argparse
import fnmatch
import hashlib
import json
import os
import signal
import sys
import time

import libtorrent as lt

# What a test may not do: talk to strangers, share its port with uTP, keep a lost peer waiting a minute.
QUIET = {
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "allow_multiple_connections_per_ip": True,
    "min_reconnect_time": 1,
    "stop_tracker_timeout": 1,
    "ssrf_mitigation": False,
}

# A DHT in a private network: all its addresses are of one prefix, and no id can fit them (BEP 42).
DHT = {
    "enable_dht": True,
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_enforce_node_id": False,
    "dht_ignore_dark_internet": False,
    "dht_prefer_verified_node_ids": False,
    "dht_announce_interval": 5,
}
# Where nodes of the network listen, on addresses of their own.
DHT_PORT = 6881
# Nodes of a session's table that make it a part of the network.
DHT_NODES_MIN = 8


def say(**fields):
    print(json.dumps(fields), flush=True)


def hashes(info):
    both = info.info_hashes()
    return {
        "v1": str(both.v1) if both.has_v1() else None,
        "v2": str(both.v2) if both.has_v2() else None,
    }


def describe(path):
    info = lt.torrent_info(path)
    files = info.files()
    pad = lt.file_storage.flag_pad_file
    listed = [
        {"path": files.file_path(i), "length": files.file_size(i)}
        for i in range(files.num_files())
        if not files.file_flags(i) & pad
    ]
    say(
        name=info.name(),
        piece_length=info.piece_length(),
        pieces=info.num_pieces(),
        private=info.priv(),
        trackers=[[tracker.url] for tracker in info.trackers()],
        files=listed,
        **hashes(info),
    )


def sparse_hashes(torrent, path):
    """Sets v1 piece hashes without reading holes: a piece of zeros is hashed once."""
    length, size = torrent.piece_length(), os.path.getsize(path)
    zeros = {}
    with open(path, "rb", buffering=0) as file:
        for piece in range(torrent.num_pieces()):
            start = piece * length
            count = min(length, size - start)
            try:
                data = os.lseek(file.fileno(), start, os.SEEK_DATA)
            except OSError:  # ENXIO: a hole up to the end
                data = size
            if data >= start + count:
                if count not in zeros:
                    zeros[count] = hashlib.sha1(bytes(count)).digest()
                torrent.set_hash(piece, zeros[count])
            else:
                torrent.set_hash(piece, hashlib.sha1(os.pread(file.fileno(), count, start)).digest())


def listed(args):
    """The files in the order of another torrent, or in the order of the folder, which is any."""
    files = lt.file_storage()
    if not args.like:
        lt.add_files(files, args.path)
        return files
    other = lt.torrent_info(args.like).files()
    for i in range(other.num_files()):
        if not other.file_flags(i) & lt.file_storage.flag_pad_file:
            files.add_file(other.file_path(i), other.file_size(i))
    return files


def make(args):
    files = listed(args)
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}
    torrent = lt.create_torrent(files, args.piece_length, flags[args.format])
    for url in args.tracker:
        torrent.add_tracker(url)
    for url in args.web_seed:
        torrent.add_url_seed(url)
    torrent.set_priv(args.private)
    if args.sparse:
        sparse_hashes(torrent, args.path)
    else:
        lt.set_piece_hashes(torrent, os.path.dirname(args.path))
    with open(args.out, "wb") as file:
        file.write(lt.bencode(torrent.generate()))
    describe(args.out)


# Encrypted handshakes and no others, payload of this kind and no other.
ENCRYPTED = {
    "in_enc_policy": lt.enc_policy.forced,
    "out_enc_policy": lt.enc_policy.forced,
}
LEVELS = {"plaintext": lt.enc_level.plaintext, "rc4": lt.enc_level.rc4}


def place(address, port):
    return "%s:%d" % ("[%s]" % address if ":" in address else address, port)


def session(address, port, encryption=None, lsd=False, router=None, log=False):
    settings = dict(QUIET)
    settings["listen_interfaces"] = place(address, port)
    settings["outgoing_interfaces"] = address
    settings["enable_lsd"] = lsd
    if encryption:
        settings.update(ENCRYPTED, allowed_enc_level=LEVELS[encryption])
    kinds = lt.alert.category_t
    settings["alert_mask"] = (
        kinds.status_notification
        | kinds.error_notification
        | kinds.tracker_notification
        | kinds.connect_notification
        | kinds.storage_notification
        | kinds.dht_operation_notification
    )
    if log:
        settings["alert_mask"] |= kinds.peer_log_notification
    if router:
        settings.update(DHT, dht_bootstrap_nodes=router)
    return lt.session(settings)


def parameters(args):
    if args.magnet:
        wanted = lt.parse_magnet_uri(args.magnet)
    else:
        wanted = lt.add_torrent_params()
        wanted.ti = lt.torrent_info(args.torrent)
    wanted.save_path = args.dir
    flags = wanted.flags & ~lt.torrent_flags.paused & ~lt.torrent_flags.auto_managed
    if args.trust:
        wanted.have_pieces = [True] * wanted.ti.num_pieces()
        flags |= lt.torrent_flags.no_verify_files
    if args.select:
        files = wanted.ti.files()
        wanted.file_priorities = [
            4 if fnmatch.fnmatchcase(files.file_path(i), args.select) else 0
            for i in range(files.num_files())
        ]
    wanted.flags = flags
    return wanted


def listening_port(alerts):
    for alert in alerts:
        if isinstance(alert, lt.listen_failed_alert):
            sys.exit(alert.message())
        if isinstance(alert, lt.listen_succeeded_alert):
            return alert.port
    return None


def peer(args):
    stopping = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.append(True))
    ses = session(
        args.address, args.port, args.encryption, args.local_discovery, args.dht_router, args.log
    )
    port = None
    while port is None and not stopping:
        ses.wait_for_alert(100)
        port = listening_port(ses.pop_alerts())
    os.makedirs(args.dir, exist_ok=True)
    handle = ses.add_torrent(parameters(args))
    handle.set_upload_limit(args.limit_up)
    handle.set_download_limit(args.limit_down)
    for target in args.dial:
        host, _, number = target.rpartition(":")
        handle.connect_peer((host.strip("[]"), int(number)))
    ready = done = False
    uploaded = 0
    met = []
    opening = lt.peer_info.connecting | lt.peer_info.handshake
    while not stopping:
        ses.wait_for_alert(50)
        for alert in ses.pop_alerts():
            say(event="alert", what=alert.what(), message=alert.message())
        peers = sorted({p.ip[0] for p in handle.get_peer_info() if not p.flags & opening})
        if peers != met:
            met = peers
            say(event="peers", peers=met)
        status = handle.status()
        if not ready and (status.is_seeding if args.role == "seed" else True):
            ready = True
            say(event="ready", port=port)
        if not done and args.role == "leech" and status.is_finished and status.has_metadata:
            done = True
            say(event="done")
        if status.total_payload_upload > uploaded:
            uploaded = status.total_payload_upload
            say(event="progress", uploaded=uploaded)
    status = handle.status()
    ses.pause()
    say(event="stats", uploaded=status.total_payload_upload, downloaded=status.total_payload_download)


def counted(ses):
    """The session's alerts, and how many nodes its DHT knows as of the last call, if it says so."""
    ses.post_session_stats()
    alerts = ses.pop_alerts()
    told = [alert for alert in alerts if isinstance(alert, lt.session_stats_alert)]
    return alerts, told[-1].values["dht.dht_nodes"] if told else 0


def nodes(args):
    """A DHT: a session at each address, all in this process."""
    stopping = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.append(True))
    router = place(args.address[0], DHT_PORT)
    sessions = [session(address, DHT_PORT, router=router) for address in args.address]
    joining = list(sessions)
    while not stopping:
        counts = [(counted(ses)[1], ses) for ses in joining]
        joining = [ses for count, ses in counts if count < DHT_NODES_MIN]
        if not joining:
            say(event="ready", router=router)
            break
        for ses in joining:  # a lookup makes nodes known to one another
            ses.dht_get_peers(lt.sha1_hash(os.urandom(20)))
        time.sleep(0.3)
    while not stopping:
        for ses in sessions:
            ses.pop_alerts()
        time.sleep(0.5)


def find(args):
    """Asks the DHT for the peers of torrents, until each has the wanted one, or enough nodes are known,
    or the time is over."""
    ses = session(args.address, 0, router=args.dht_router)
    found = {text: set() for text in args.info_hash}
    known, asked, end = 0, 0.0, time.monotonic() + args.seconds
    while time.monotonic() < end:
        if known and time.monotonic() > asked + 1:
            asked = time.monotonic()
            for text in found:
                ses.dht_get_peers(lt.sha1_hash(bytes.fromhex(text)))
        ses.wait_for_alert(100)
        alerts, count = counted(ses)
        known = max(known, count)
        for alert in alerts:
            if isinstance(alert, lt.dht_get_peers_reply_alert):
                peers = found.setdefault(str(alert.info_hash), set())
                peers.update(place(*peer) for peer in alert.peers())
        if args.nodes and known >= args.nodes:
            break
        if args.wanted and all(args.wanted in peers for peers in found.values()):
            break
    say(nodes=known, peers={text: sorted(peers) for text, peers in found.items()})


def check(args):
    """libtorrent's own recheck, with no peer and nothing written."""
    ses = session("127.0.0.1", 0)
    wanted = lt.add_torrent_params()
    wanted.ti = lt.torrent_info(args.torrent)
    wanted.save_path = args.dir
    wanted.flags = lt.torrent_flags.upload_mode
    handle = ses.add_torrent(wanted)
    checked = False
    while not checked:
        ses.wait_for_alert(1000)
        for alert in ses.pop_alerts():
            checked = checked or isinstance(alert, lt.torrent_checked_alert)
            if isinstance(alert, (lt.file_error_alert, lt.torrent_error_alert)):
                sys.exit(alert.message())
    status = handle.status()
    say(complete=status.is_seeding, have=status.num_pieces, pieces=wanted.ti.num_pieces())


def pieces(args):
    """Which v1 pieces on disk pass their hash, read only: files, sizes and times stay as they are."""
    info = lt.torrent_info(args.torrent)
    files = info.files()
    good = []
    for piece in range(info.num_pieces()):
        digest = hashlib.sha1()
        for part in info.map_block(piece, 0, info.piece_size(piece)):
            try:
                with open(os.path.join(args.dir, files.file_path(part.file_index)), "rb") as file:
                    digest.update(os.pread(file.fileno(), part.size, part.offset))
            except OSError:
                pass  # a missing file is missing bytes, and the digest says so
        if digest.digest() == info.hash_for_piece(piece):
            good.append(piece)
    say(good=good, pieces=info.num_pieces())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    roles = parser.add_subparsers(dest="command", required=True)
    roles.add_parser("version")
    sub = roles.add_parser("make")
    sub.add_argument("path")
    sub.add_argument("out")
    sub.add_argument("--format", choices=["v1", "v2", "hybrid"], default="v1")
    sub.add_argument("--piece-length", type=int, default=0)
    sub.add_argument("--tracker", action="append", default=[])
    sub.add_argument("--web-seed", action="append", default=[])
    sub.add_argument("--private", action="store_true")
    sub.add_argument("--sparse", action="store_true")
    sub.add_argument("--like", metavar="TORRENT")
    roles.add_parser("describe").add_argument("torrent")
    for name in ("check", "pieces"):
        sub = roles.add_parser(name)
        sub.add_argument("torrent")
        sub.add_argument("dir")
    sub = roles.add_parser("peer")
    sub.add_argument("role", choices=["seed", "leech"])
    sub.add_argument("--torrent")
    sub.add_argument("--magnet")
    sub.add_argument("--dir", required=True)
    sub.add_argument("--address", required=True)
    sub.add_argument("--port", type=int, default=0)
    sub.add_argument("--dial", action="append", default=[])
    sub.add_argument("--select")
    sub.add_argument("--encryption", choices=sorted(LEVELS))
    sub.add_argument("--limit-up", type=int, default=0)
    sub.add_argument("--limit-down", type=int, default=0)
    sub.add_argument("--trust", action="store_true")
    sub.add_argument("--local-discovery", action="store_true")
    sub.add_argument("--dht-router", metavar="HOST:PORT")
    sub.add_argument("--log", action="store_true", help="tell every message of every peer")
    roles.add_parser("nodes").add_argument("address", nargs="+")
    sub = roles.add_parser("find")
    sub.add_argument("info_hash", nargs="+")
    sub.add_argument("--address", required=True)
    sub.add_argument("--dht-router", metavar="HOST:PORT", required=True)
    sub.add_argument("--wanted", metavar="HOST:PORT")
    sub.add_argument("--nodes", type=int)
    sub.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()
    if args.command == "version":
        say(version=lt.__version__)
    elif args.command == "describe":
        describe(args.torrent)
    else:
        commands = {
            "make": make, "peer": peer, "check": check, "pieces": pieces, "nodes": nodes, "find": find
        }
        commands[args.command](args)


if __name__ == "__main__":
    main()
