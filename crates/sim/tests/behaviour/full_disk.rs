use super::plays;

#[test]
fn a_download_goes_on_when_a_full_disk_has_room_again() {
    plays("full_disk", 5);
}
