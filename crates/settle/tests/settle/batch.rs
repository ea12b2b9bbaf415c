//! Several questions in one exchange, whatever a server makes of it.

use piecework_settle::{Patience, Received, Rpc, RpcFault, Transport};
use serde_json::{Value, json};
use std::time::Duration;

/// Answers what it is sent with a closure.
struct Said<F>(F);

impl<F: Fn(&Value) -> Value + Send + Sync> Transport for Said<F> {
    fn exchange(&self, question: String, _: Duration) -> Result<Received, RpcFault> {
        let question = serde_json::from_str(&question).unwrap();
        let body = (self.0)(&question).to_string().into_bytes();
        Ok(Received { status: 200, body, ..Received::default() })
    }
}

fn ask(answer: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Result<Vec<Value>, RpcFault> {
    let pause = Duration::from_millis(1);
    let patience = Patience { tries: 2, pause, pause_max: pause, ..Patience::default() };
    let rpc = Rpc::over("test".into(), Box::new(Said(answer)), patience);
    rpc.call_all("double", &[json!([1]), json!([2]), json!([3])]).map_err(|error| error.fault)
}

/// The right answer to one question: twice its number.
fn doubled(question: &Value) -> Value {
    let result = question["params"][0].as_u64().unwrap() * 2;
    json!({ "jsonrpc": "2.0", "id": question["id"], "result": result })
}

fn all(questions: &Value) -> Vec<Value> {
    questions.as_array().unwrap().iter().map(doubled).collect()
}

#[test]
fn answers_of_a_batch_come_in_the_order_of_its_questions_in_whichever_they_are_sent() {
    assert_eq!(ask(|asked| json!(all(asked))).unwrap(), [json!(2), json!(4), json!(6)]);
    let turned = ask(|asked| json!(all(asked).into_iter().rev().collect::<Vec<_>>()));
    assert_eq!(turned.unwrap(), [json!(2), json!(4), json!(6)]);
}

#[test]
fn a_batch_that_is_answered_in_part_twice_or_for_somebody_else_is_no_answer() {
    let short = ask(|asked| json!(all(asked)[1..]));
    assert!(matches!(short, Err(RpcFault::NotAnAnswer { .. })), "{short:?}");
    let twice = ask(|asked| {
        let answers = all(asked);
        json!([answers[0], answers[0], answers[1]])
    });
    assert!(matches!(twice, Err(RpcFault::NotAnAnswer { .. })), "{twice:?}");
    let foreign = ask(|asked| {
        let mut answers = all(asked);
        answers[1]["id"] = json!(999);
        json!(answers)
    });
    assert!(matches!(foreign, Err(RpcFault::WrongId { .. })), "{foreign:?}");
    let alone = ask(|asked| doubled(&asked[0]));
    assert!(matches!(alone, Err(RpcFault::NotAnAnswer { .. })), "{alone:?}");
    assert!(matches!(ask(|_| json!([1, 2, 3])), Err(RpcFault::NotAnAnswer { .. })));
}

#[test]
fn one_refusal_refuses_a_batch_and_so_does_one_of_all_of_it() {
    let error = json!({ "code": -32000, "message": "no such state" });
    let its = error.clone();
    let one = ask(move |asked| {
        let mut answers = all(asked);
        answers[2] = json!({ "jsonrpc": "2.0", "id": asked[2]["id"], "error": its });
        json!(answers)
    });
    assert!(matches!(one, Err(RpcFault::Refused { code: -32000, .. })), "{one:?}");
    let whole = ask(move |_| json!({ "jsonrpc": "2.0", "id": null, "error": error }));
    assert!(matches!(whole, Err(RpcFault::Refused { code: -32000, .. })), "{whole:?}");
}
