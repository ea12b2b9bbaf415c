"""The Python client `qbittorrent-api` against a server that speaks qBittorrent's web API.

    qbittorrent_client.py http://127.0.0.1:7411 USER PASSWORD SAVE_FOLDER multi.torrent

Ends with 0 when everything went as it should, else with the line that did not.
"""

import sys
import time

import qbittorrentapi


def until(what, ask):
    for _ in range(200):
        value = ask()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(what)


def main():
    host, user, password, save, path = sys.argv[1:]
    try:
        qbittorrentapi.Client(host=host, username=user, password="wrong").auth_log_in()
        raise AssertionError("a wrong password logged in")
    except qbittorrentapi.LoginFailed:
        pass
    client = qbittorrentapi.Client(host=host, username=user, password=password)
    client.auth_log_in()
    assert client.app.version == "v5.1.4"
    assert client.app.web_api_version == "2.11.4"
    assert client.app.default_save_path
    assert client.torrents_info() == []

    client.torrent_categories.create_category(name="films", save_path=f"{save}/films")
    assert client.torrent_categories.categories["films"]["savePath"] == f"{save}/films"
    with open(path, "rb") as file:
        added = client.torrents_add(torrent_files=file.read(), category="films", tags=["one", "two"], is_stopped=True)
    assert added == "Ok.", added
    torrent = until("the torrent is there", lambda: client.torrents_info(category="films"))[0]
    assert torrent.name == "multi" and torrent.state == "stoppedDL"
    assert torrent.state_enum.is_stopped
    assert torrent.amount_left == torrent.size == 50000
    assert {tag.strip() for tag in torrent.tags.split(",")} == {"one", "two"}

    assert [file.name for file in torrent.files] == ["multi/a.txt", "multi/sub/deep.bin"]
    assert torrent.properties.comment == "a comment"
    assert [tracker.url for tracker in torrent.trackers][3:] == ["http://127.0.0.1:9/announce"]
    assert torrent.webseeds[0].url == "http://127.0.0.1:9/seed/"
    assert torrent.export()[:2] == b"d8"

    sync = client.sync.maindata.delta()
    assert sync.full_update and torrent.hash in sync.torrents
    torrent.rename(new_name="another")
    torrent.set_category(category="")
    torrent.add_tags(tags="three")
    delta = until("the change is told", lambda: client.sync.maindata.delta().get("torrents"))
    assert delta[torrent.hash]["name"] == "another" and "added_on" not in delta[torrent.hash], delta

    torrent.set_share_limits(ratio_limit=1.5, seeding_time_limit=30, inactive_seeding_time_limit=-2)
    torrent.set_upload_limit(limit=10240)
    torrent.set_download_limit(limit=20480)
    torrent.file_priority(file_ids=[1], priority=0)
    torrent.rename_file(old_path="multi/a.txt", new_path="multi/b.txt")
    torrent.add_trackers(urls=["http://127.0.0.1:9/two"])
    until("the file has its name", lambda: torrent.files[0].name == "multi/b.txt")
    now = torrent.info
    assert (now.ratio_limit, now.seeding_time_limit, now.up_limit, now.dl_limit) == (1.5, 30, 10240, 20480)
    assert [file.priority for file in torrent.files] == [1, 0]
    torrent.top_priority()
    torrent.reannounce()
    torrent.recheck()
    torrent.start()
    until("it has started", lambda: torrent.info.state not in ("stoppedDL", "checkingResumeData"))
    torrent.stop()
    until("it has stopped", lambda: torrent.info.state == "stoppedDL")
    try:
        torrent.set_category(category="no such")
        raise AssertionError("an unknown category was set")
    except qbittorrentapi.Conflict409Error:
        pass

    client.transfer.download_limit = 512000
    assert client.transfer.download_limit == 512000
    client.app.preferences = {"max_active_downloads": 6}
    assert client.app.preferences.max_active_downloads == 6
    client.torrents_delete(delete_files=True, torrent_hashes=torrent.hash)
    until("it has gone", lambda: client.torrents_info() == [])
    assert any(entry.message for entry in client.log.main())
    client.auth_log_out()
    print("ok")


if __name__ == "__main__":
    main()
