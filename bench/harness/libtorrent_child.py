"""libtorrent as a peer. It runs under an interpreter that has the libtorrent module.

stdout: `READY seconds` once it seeds, `DONE seconds` when a download, check or metadata exchange has
ended, both counted from the moment the torrent is added; `ALERT text` for each error.
"""
import argparse
import itertools
import os
import signal
import time

import libtorrent as lt

MIB = 1 << 20


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["seed", "leech", "check", "idle", "nodes", "magnet"])
    parser.add_argument("--torrent")
    parser.add_argument("--magnet")
    parser.add_argument("--torrents-dir")
    parser.add_argument("--dir", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--peer")
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--encrypted", action="store_true")
    parser.add_argument("--dht-router")
    parser.add_argument("--no-dht", action="store_true", help="as without --dht-router")
    parser.add_argument("--info-hash", help="of the torrent that --peer is to be found for")
    return parser.parse_args()


# Encrypted handshakes and RC4 payload, and nothing else.
ENCRYPTED = {"in_enc_policy": 0, "out_enc_policy": 0, "allowed_enc_level": 2}


def settings(host, port):
    """libtorrent's own settings for speed, plain TCP alone, no limits and no strangers."""
    chosen = dict(lt.high_performance_seed())
    chosen.update({
        "max_out_request_queue": 2000, "max_allowed_in_request_queue": 4000,
        "request_timeout": 60, "peer_timeout": 120, "max_failcount": 3, "suggest_mode": 0,
        "aio_threads": 4, "hashing_threads": 2, "max_queued_disk_bytes": 64 * MIB,
        "checking_mem_usage": 256, "file_pool_size": 500, "connections_limit": 8000,
        "listen_interfaces": "%s:%d" % (host, port),
        "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
        "enable_incoming_utp": False, "enable_outgoing_utp": False,
        "in_enc_policy": 2, "out_enc_policy": 2, "allow_multiple_connections_per_ip": True,
        "upload_rate_limit": 0, "download_rate_limit": 0, "unchoke_slots_limit": -1,
        "stop_tracker_timeout": 1, "active_downloads": -1, "active_seeds": -1,
        "active_limit": 100_000, "active_checking": -1, "ssrf_mitigation": False,
        "alert_mask": lt.alert.category_t.status_notification
        | lt.alert.category_t.error_notification
        | lt.alert.category_t.dht_operation_notification,
    })
    known = lt.default_settings()
    return {key: value for key, value in chosen.items() if key in known}


def in_dht(router):
    """A DHT in a private network: all its addresses are of one prefix, and no id can fit them."""
    return {
        "enable_dht": True, "dht_bootstrap_nodes": router, "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False, "dht_enforce_node_id": False,
        "dht_ignore_dark_internet": False, "dht_prefer_verified_node_ids": False,
    }


def be_nodes(arguments, stops):
    """The nodes of a DHT, the first at the port that is given. One says when it has found a peer.

    Five times a second one of them looks for something, so that each hears some queries a second.
    """
    router = "%s:%d" % (arguments.host, arguments.port)
    sessions = []
    for index in range(arguments.sessions):
        chosen = settings(arguments.host, 0 if index else arguments.port)
        sessions.append(lt.session(dict(chosen, **in_dht(router))))
    print("READY", flush=True)
    wanted, is_found = lt.sha1_hash(bytes.fromhex(arguments.info_hash)), False
    for turn in itertools.count():
        if stops:
            break
        target = lt.sha1_hash(os.urandom(20)) if is_found else wanted
        sessions[turn % len(sessions)].dht_get_peers(target)
        time.sleep(0.2)
        for session in sessions:
            for alert in session.pop_alerts():
                if isinstance(alert, lt.dht_get_peers_reply_alert) and not is_found:
                    is_found = arguments.peer in ["%s:%d" % peer for peer in alert.peers()]
                    if is_found:
                        print("FOUND", flush=True)


def add(session, folder, torrent=None, magnet=None, is_seed=False, is_lazy=False):
    if magnet:
        params = lt.parse_magnet_uri(magnet)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    flags = params.flags & ~lt.torrent_flags.paused & ~lt.torrent_flags.auto_managed
    if is_lazy:  # hashes each piece on its first upload, which an idle torrent never has
        flags |= lt.torrent_flags.seed_mode
    elif is_seed:  # taken as checked, so that nothing is hashed during the upload
        params.have_pieces = [True] * params.ti.num_pieces()
        flags |= lt.torrent_flags.no_verify_files
    params.flags = flags
    return session.add_torrent(params)


def add_all(arguments, sessions):
    if arguments.role == "idle":
        names = sorted(os.listdir(arguments.torrents_dir))
        paths = [os.path.join(arguments.torrents_dir, name) for name in names]
        return [add(sessions[0], arguments.dir, path, is_lazy=True) for path in paths]
    handles = []
    for index, session in enumerate(sessions):
        folder = arguments.dir
        if len(sessions) > 1:
            folder = os.path.join(folder, str(index))
        os.makedirs(folder, exist_ok=True)
        handle = add(session, folder, arguments.torrent, arguments.magnet,
                     is_seed=arguments.role == "seed")
        if arguments.peer:
            host, _, port = arguments.peer.rpartition(":")
            handle.connect_peer((host, int(port)))
        handles.append(handle)
    return handles


def main():
    arguments = parse_arguments()
    stops = []
    signal.signal(signal.SIGTERM, lambda *_: stops.append(True))
    if arguments.role == "nodes":
        be_nodes(arguments, stops)
        return
    sessions = []
    for index in range(arguments.sessions):
        port = arguments.port + index if arguments.sessions == 1 else 0
        chosen = settings(arguments.host, port)
        if arguments.encrypted:
            chosen.update(ENCRYPTED)
        if arguments.dht_router:
            chosen.update(in_dht(arguments.dht_router))
        sessions.append(lt.session(chosen))
    start = time.monotonic()

    def say(word):
        print("%s %.4f" % (word, time.monotonic() - start), flush=True)

    handles = add_all(arguments, sessions)
    if arguments.role == "seed":
        while not stops and not all(handle.status().is_seeding for handle in handles):
            time.sleep(0.01)
    if arguments.role in ("seed", "idle"):
        say("READY")
    ends = {"leech": "torrent_finished", "check": "torrent_checked",
            "magnet": "metadata_received"}.get(arguments.role)
    left = len(handles)
    while not stops:
        for session in sessions:
            session.wait_for_alert(100 if len(sessions) == 1 else 5)
            for alert in session.pop_alerts():
                if alert.what() == ends:
                    left -= 1
                    if left == 0:
                        say_end(arguments, handles, say)
                elif "error" in alert.what():
                    print("ALERT", alert.message(), flush=True)
    for session in sessions:
        session.pause()


def say_end(arguments, handles, say):
    if arguments.role == "check" and not handles[0].status().is_seeding:
        print("ALERT the check found the files incomplete", flush=True)
    elif arguments.role == "magnet":
        say("DONE")
        info = handles[0].torrent_file()
        with open(os.path.join(arguments.dir, "info"), "wb") as file:
            file.write(info.info_section())
    else:
        say("DONE")


if __name__ == "__main__":
    main()
