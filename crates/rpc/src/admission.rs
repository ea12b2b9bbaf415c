//! Who may ask what, and how often: the layer between the protocol and the methods.
//!
//! Invariant: every request, alone or of a batch, passes [`Admission::admit`] before its method runs.
//! Transactions that follow one another in a batch are handed over together, so that signatures are
//! recovered side by side.

use crate::error::{INTERNAL, limit_exceeded, method_not_found, needs_web_socket};
use crate::gate::Gate;
use crate::methods::Kind;
use crate::server::cores;
use crate::settings::Settings;
use futures_util::future::join_all;
use jsonrpsee::core::middleware::{Batch, BatchEntry, Notification, RpcServiceT};
use jsonrpsee::server::{BatchResponseBuilder, MethodResponse};
use jsonrpsee::types::{ErrorObjectOwned, Request};
use piecework_types::{Allowances, Scope, Time};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::Semaphore;

/// What all connections share: what is served at all, and how much of it to one address.
#[derive(Debug)]
pub(crate) struct Admission {
    settings: Settings,
    allowances: Mutex<Budgets>,
    started: Instant,
    /// Those that execute and search at the same time.
    workers: Semaphore,
}

/// Requests that execute or search at once, however many cores there are.
const WORKERS_MAX: usize = 8;

#[derive(Debug)]
struct Budgets {
    all: Allowances,
    work: Allowances,
}

impl Admission {
    /// Nothing was asked yet.
    pub(crate) fn new(settings: Settings) -> Self {
        let all = Allowances::new(settings.rate);
        let work = Allowances::new(settings.work_rate);
        let allowances = Mutex::new(Budgets { all, work });
        let workers = Semaphore::new(cores().min(WORKERS_MAX));
        Self { settings, allowances, started: Instant::now(), workers }
    }

    fn now(&self) -> Time {
        let micros = self.started.elapsed().as_micros();
        Time::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Lets a request of this address through, or says why not.
    fn admit(&self, method: &str, address: IpAddr, now: Time) -> Result<Kind, ErrorObjectOwned> {
        let kind = Kind::of(method).ok_or_else(|| method_not_found(method))?;
        if self.settings.is_public && kind == Kind::Filter {
            return Err(method_not_found(method));
        }
        if Scope::of(address) == Scope::Machine {
            return Ok(kind);
        }
        let mut budgets = self.allowances.lock().unwrap_or_else(PoisonError::into_inner);
        let (is_left, rate) = match kind {
            Kind::Work => (budgets.work.take(address, now), self.settings.work_rate),
            _ => (budgets.all.take(address, now), self.settings.rate),
        };
        drop(budgets);
        if is_left {
            return Ok(kind);
        }
        let (per_second, burst) = (rate.per_second, rate.burst);
        Err(limit_exceeded(format!(
            "request rate exceeded: {per_second} a second, {burst} at once; wait a second"
        )))
    }
}

/// The methods, as one connection may use them.
#[derive(Clone, Debug)]
pub(crate) struct Admitted<S> {
    inner: S,
    admission: Arc<Admission>,
    gate: Arc<Gate>,
    address: IpAddr,
}

impl<S> Admitted<S> {
    /// Puts the layer around `inner` for the connection from `address`.
    pub(crate) fn new(
        inner: S,
        (admission, gate): (Arc<Admission>, Arc<Gate>),
        address: IpAddr,
    ) -> Self {
        Self { inner, admission, gate, address }
    }
}

impl<S> Admitted<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse> + Clone + Send + Sync + 'static,
{
    async fn answer(self, request: Request<'_>) -> MethodResponse {
        match self.admission.admit(&request.method, self.address, self.admission.now()) {
            Ok(Kind::Work) => {
                let _turn = self.gate.turn().await;
                let _worker = self.admission.workers.acquire().await;
                self.inner.call(request).await
            }
            Ok(Kind::Subscribe) => {
                let id = request.id.clone().into_owned();
                let answer = self.inner.call(request).await;
                match answer.as_error_code() {
                    // All that the layer below has to say on HTTP.
                    Some(INTERNAL) => MethodResponse::error(id, needs_web_socket()),
                    Some(_) | None => answer,
                }
            }
            Ok(Kind::Look | Kind::Submit | Kind::Filter) => self.inner.call(request).await,
            Err(error) => MethodResponse::error(request.id, error),
        }
    }

    /// One after the other, but for transactions that follow one another.
    async fn answer_all(self, batch: Batch<'_>) -> MethodResponse {
        let bytes_max = self.admission.settings.answer_bytes_max as usize;
        let mut answers = BatchResponseBuilder::new_with_limit(bytes_max);
        let mut entries = batch.into_iter().peekable();
        let mut is_noted = false;
        while let Some(entry) = entries.next() {
            let mut some = Vec::new();
            match entry {
                Ok(BatchEntry::Call(first)) if submits(&first) => {
                    let mut calls = vec![self.clone().answer(first)];
                    while let Some(Ok(BatchEntry::Call(next))) = entries.next_if(is_submission) {
                        calls.push(self.clone().answer(next));
                    }
                    some = join_all(calls).await;
                }
                Ok(BatchEntry::Call(request)) => some.push(self.clone().answer(request).await),
                Ok(BatchEntry::Notification(_)) => is_noted = true,
                Err(error) => {
                    let (error, id) = error.into_parts();
                    some.push(MethodResponse::error(id, error));
                }
            }
            for answer in some {
                if let Err(too_large) = answers.append(answer) {
                    return too_large;
                }
            }
        }
        if answers.is_empty() && is_noted {
            return MethodResponse::notification();
        }
        MethodResponse::from_batch(answers.finish())
    }
}

fn submits(request: &Request<'_>) -> bool {
    Kind::of(&request.method) == Some(Kind::Submit)
}

fn is_submission<E>(entry: &Result<BatchEntry<'_>, E>) -> bool {
    matches!(entry, Ok(BatchEntry::Call(request)) if submits(request))
}

impl<S> RpcServiceT for Admitted<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse> + Clone + Send + Sync + 'static,
{
    type MethodResponse = MethodResponse;
    type BatchResponse = MethodResponse;
    type NotificationResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let (call, this) = (self.gate.enter(), self.clone());
        async move {
            let answer = this.answer(request).await;
            call.answered(answer.as_json().get().len());
            answer
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let (call, this) = (self.gate.enter(), self.clone());
        async move {
            let answer = this.answer_all(batch).await;
            call.answered(answer.as_json().get().len());
            answer
        }
    }

    /// Nobody waits for an answer, so nothing is done.
    fn notification<'a>(
        &self,
        _: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        std::future::ready(MethodResponse::notification())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_types::Rate;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn admission(is_public: bool) -> Admission {
        Admission::new(Settings {
            is_public,
            rate: Rate { per_second: 1, burst: 3 },
            work_rate: Rate { per_second: 1, burst: 1 },
            ..Settings::default()
        })
    }

    #[test]
    fn an_address_beyond_this_machine_gets_its_rate_and_then_an_error_that_names_it() {
        let (admission, start) = (admission(false), Time::ZERO);
        let code = |method, address, now| {
            admission.admit(method, address, now).err().map(|error| error.code())
        };
        for _ in 0..3 {
            assert_eq!(code("eth_chainId", REMOTE, start), None);
        }
        assert_eq!(code("eth_chainId", REMOTE, start), Some(-32005));
        let error = admission.admit("eth_chainId", REMOTE, start).unwrap_err();
        assert!(error.message().contains("1 a second, 3 at once"), "{error}");
        assert_eq!(code("eth_chainId", REMOTE, start + Duration::from_secs(1)), None);
        let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
        assert_eq!(code("eth_chainId", other, start), None);
    }

    #[test]
    fn what_executes_has_a_budget_of_its_own() {
        let admission = admission(false);
        let admit = |method| admission.admit(method, REMOTE, Time::ZERO).is_ok();
        assert!(admit("eth_call"));
        assert!(!admit("eth_call"));
        assert!(admit("eth_sendRawTransaction"));
    }

    #[test]
    fn this_machine_has_no_rate() {
        let admission = admission(false);
        for _ in 0..99 {
            let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
            assert!(admission.admit("eth_call", local, Time::ZERO).is_ok());
        }
    }

    #[test]
    fn a_method_that_is_not_there_or_not_for_strangers_is_not_found() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for (is_public, method, code) in [
            (false, "eth_newFilter", None),
            (true, "eth_newFilter", Some(-32601)),
            (true, "eth_getLogs", None),
            (true, "eth_subscribe", None),
            (false, "personal_sign", Some(-32601)),
            (false, "", Some(-32601)),
        ] {
            let admission = admission(is_public);
            let error = admission.admit(method, local, Time::ZERO).err();
            assert_eq!(error.map(|error| error.code()), code, "{method}");
        }
    }
}
