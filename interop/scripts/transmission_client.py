"""The Python client `transmission-rpc` against a server that speaks Transmission's RPC.

    transmission_client.py 7411 USER PASSWORD SAVE_FOLDER multi.torrent

Ends with 0 when everything went as it should, else with the line that did not.
"""

import sys
import time

import transmission_rpc


def until(what, ask):
    for _ in range(200):
        value = ask()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(what)


def main():
    port, user, password, save, path = sys.argv[1:]
    client = transmission_rpc.Client(host="127.0.0.1", port=int(port), username=user, password=password)
    session = client.get_session()
    assert session.version.startswith("4.1.0"), session.version
    assert session.download_dir == save, session.download_dir
    with open(path, "rb") as file:
        added = client.add_torrent(file, paused=True, labels=["one"])
    torrent = client.get_torrent(added.id)
    assert torrent.name == "multi" and torrent.hash_string == added.hash_string
    assert torrent.status == "stopped" and torrent.left_until_done == torrent.total_size == 50000
    assert torrent.labels == ["one"]
    assert [file.name for file in torrent.get_files()] == ["multi/a.txt", "multi/sub/deep.bin"]
    assert torrent.trackers[0].announce == "http://127.0.0.1:9/announce"
    client.change_torrent(added.id, seed_ratio_limit=1.5, seed_ratio_mode=1, files_unwanted=[1], labels=["x"])
    torrent = client.get_torrent(added.hash_string)
    assert torrent.seed_ratio_limit == 1.5 and torrent.labels == ["x"]
    assert [file.selected for file in torrent.get_files()] == [True, False]
    client.queue_top(added.id)
    client.verify_torrent(added.id)
    client.start_torrent(added.id)
    until("it has started", lambda: client.get_torrent(added.id).status != "stopped")
    client.stop_torrent(added.id)
    until("it has stopped", lambda: client.get_torrent(added.id).status == "stopped")
    client.set_session(speed_limit_down=500, speed_limit_down_enabled=True)
    assert client.get_session().speed_limit_down == 500
    assert client.session_stats().torrent_count == 1
    assert client.free_space(save) > 0
    client.remove_torrent(added.id, delete_data=True)
    until("it has gone", lambda: client.get_torrents() == [])
    print("ok")


if __name__ == "__main__":
    main()
