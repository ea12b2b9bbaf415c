use super::plays;

#[test]
fn an_upload_limit_is_kept_and_used_up() {
    plays("upload_limit", 5);
}
