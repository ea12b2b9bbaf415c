use super::plays;

#[test]
fn peers_that_promise_and_never_deliver_cost_little_time() {
    plays("snubbed", 5);
}
