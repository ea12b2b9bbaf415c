//! The orders of a wallet in a file: one is there before anything of it is signed, so that a request which
//! comes twice is carried out once, whatever happens in between.

use super::fault::{WalletFault, WalletTrouble};
use super::order::{Order, OrderState, OrderStep, StepState};
use crate::clock;
use piecework_settle::Progress;
use piecework_wallet::write_over;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file, in the state folder.
const FILE: &str = "wallet-orders.json";
/// The version that is written and read.
const FORMAT: u64 = 1;
/// Orders that are kept; the oldest that is over goes first.
pub(super) const ORDERS_MAX: usize = 256;
/// Orders that are not over, at most.
const OPEN_MAX: usize = 16;
/// Bytes of the file at most: so many orders of 64 steps fit.
const BYTES_MAX: u64 = 16 << 20;

/// All that are kept, oldest first.
#[derive(Debug)]
pub(super) struct Orders {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Kept {
    format: u64,
    last: u64,
    orders: VecDeque<Order>,
}

impl Orders {
    /// Reads the file; without one there are none. What an earlier run did not end is unsure.
    pub(super) fn open(state: &Path) -> Result<Self, WalletFault> {
        let path = state.join(FILE);
        let mut kept = read(&path).map_err(|why| {
            let text = format!(
                "{}: {why}; it says what was paid, so nothing is sent before it is mended or moved away",
                path.display()
            );
            WalletFault::new(WalletTrouble::Failed, text)
        })?;
        for order in kept.orders.iter_mut().filter(|order| !order.state.is_over()) {
            order.state = OrderState::Unsure;
            order.ended_at = Some(clock::unix_seconds());
            let text = "the daemon ended while it was under way: it may have been sent, so look at the \
                        history before doing it again";
            order.problem = Some(text.to_owned());
        }
        let orders = Self { path, kept: Mutex::new(kept) };
        if !orders.lock().orders.is_empty() {
            orders.write(&orders.lock())?;
        }
        Ok(orders)
    }

    /// All of them, newest first.
    pub(super) fn all(&self) -> Result<Vec<Order>, WalletFault> {
        Ok(self.lock().orders.iter().rev().cloned().collect())
    }

    /// How many are not over.
    pub(super) fn open_count(&self) -> usize {
        self.lock().orders.iter().filter(|order| !order.state.is_over()).count()
    }

    /// The order of a key, if it is known.
    ///
    /// # Errors
    /// When something else was ordered by it.
    pub(super) fn find(&self, key: &str, request: &str) -> Result<Option<Order>, WalletFault> {
        find(&self.lock(), key, request)
    }

    /// Writes a new order down, and tells its number; or the order that its key has already.
    pub(super) fn create(&self, mut order: Order) -> Result<(Order, bool), WalletFault> {
        let mut kept = self.lock();
        if let Some(known) = find(&kept, &order.key, &order.request)? {
            return Ok((known, false));
        }
        if kept.orders.iter().filter(|it| !it.state.is_over()).count() >= OPEN_MAX {
            let text = format!("{OPEN_MAX} orders are under way already: wait for them");
            return Err(WalletFault::new(WalletTrouble::Full, text));
        }
        let mut next = kept.clone();
        next.last += 1;
        order.id = next.last;
        if next.orders.len() >= ORDERS_MAX
            && let Some(oldest) = next.orders.iter().position(|it| it.state.is_over())
        {
            next.orders.remove(oldest);
        }
        next.orders.push_back(order.clone());
        self.write(&next)?;
        *kept = next;
        Ok((order, true))
    }

    /// How far a step of an order is. What is done is written down.
    pub(super) fn progress(&self, id: u64, step: usize, progress: &Progress) -> bool {
        let is_done = matches!(progress, Progress::Done(_));
        self.change(id, is_done, |order| {
            order.state = OrderState::UnderWay;
            if let Some(step) = order.steps.get_mut(step) {
                advance(step, progress);
            }
        })
    }

    /// The end of an order.
    pub(super) fn end(&self, id: u64, state: OrderState, problem: Option<String>) {
        self.change(id, true, |order| {
            (order.state, order.problem) = (state, problem);
            order.ended_at = Some(clock::unix_seconds());
        });
    }

    /// Changes an order, and tells whether it is another one now.
    fn change(&self, id: u64, is_written: bool, change: impl FnOnce(&mut Order)) -> bool {
        let mut kept = self.lock();
        let Some(order) = kept.orders.iter_mut().find(|order| order.id == id) else { return false };
        let before = order.clone();
        change(order);
        let is_other = *order != before;
        if is_written && let Err(fault) = self.write(&kept) {
            // It is unsure after a restart then, which is true enough.
            tracing::error!(why = %fault.text, "what became of an order cannot be written down");
        }
        is_other
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, kept: &Kept) -> Result<(), WalletFault> {
        let text = serde_json::to_vec(kept)
            .map_err(|error| WalletFault::new(WalletTrouble::Failed, error))?;
        Ok(write_over(&self.path, &text)?)
    }
}

fn find(kept: &Kept, key: &str, request: &str) -> Result<Option<Order>, WalletFault> {
    match kept.orders.iter().find(|order| order.key == key) {
        Some(order) if order.request != request => {
            let text = "this Idempotency-Key was used for another request";
            Err(WalletFault::new(WalletTrouble::Invalid, text))
        }
        order => Ok(order.cloned()),
    }
}

fn advance(step: &mut OrderStep, progress: &Progress) {
    match progress {
        Progress::Waiting => (step.state, step.confirmations) = (StepState::Sent, None),
        Progress::Confirming { have, want } => {
            (step.state, step.confirmations) = (StepState::Confirming, Some((*have, *want)));
        }
        Progress::Done(receipt) => {
            (step.state, step.confirmations) = (StepState::Done, None);
            step.transaction = Some(receipt.hash);
            (step.block, step.fee) = (Some(receipt.block), Some(receipt.fee));
        }
    }
}

fn read(path: &Path) -> Result<Kept, String> {
    let empty = Kept { format: FORMAT, ..Kept::default() };
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(empty),
        file => file.map_err(|error| error.to_string())?,
    };
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let kept: Kept = serde_json::from_str(&text).map_err(|_| "it is damaged".to_owned())?;
    if kept.format == FORMAT {
        Ok(kept)
    } else {
        Err(format!("format {} is of another version of this program", kept.format))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::order::ErrandKind;

    fn order(key: &str, request: &str) -> Order {
        Order {
            id: 0,
            key: key.into(),
            request: request.into(),
            kind: ErrandKind::Transfer,
            state: OrderState::Waiting,
            created_at: 1,
            ended_at: None,
            steps: Vec::new(),
            problem: None,
        }
    }

    #[test]
    fn a_key_orders_once_and_after_a_crash_its_order_is_unsure_and_not_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let orders = Orders::open(folder.path()).unwrap();
        let (first, is_new) = orders.create(order("a", "1")).unwrap();
        assert!(is_new && first.id == 1);
        let (again, is_new) = orders.create(order("a", "1")).unwrap();
        assert!(!is_new && again.id == 1);
        let other = orders.create(order("a", "2")).unwrap_err();
        assert_eq!(other.trouble, WalletTrouble::Invalid);
        drop(orders);

        let orders = Orders::open(folder.path()).unwrap();
        let (again, is_new) = orders.create(order("a", "1")).unwrap();
        assert!(!is_new && again.state == OrderState::Unsure);
        assert!(again.problem.unwrap().contains("history"));
        assert_eq!(orders.create(order("b", "1")).unwrap().0.id, 2);
    }

    #[test]
    fn what_is_open_and_what_is_kept_has_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let orders = Orders::open(folder.path()).unwrap();
        for number in 0..OPEN_MAX {
            orders.create(order(&number.to_string(), "")).unwrap();
        }
        let full = orders.create(order("one more", "")).unwrap_err();
        assert_eq!(full.trouble, WalletTrouble::Full);
        for number in 0..ORDERS_MAX + 10 {
            orders.end(1 + number as u64, OrderState::Done, None);
            orders.create(order(&format!("later {number}"), "")).unwrap();
        }
        assert_eq!(orders.all().unwrap().len(), ORDERS_MAX);
        assert_eq!(orders.open_count(), OPEN_MAX);
    }

    #[test]
    fn a_damaged_file_is_left_alone_and_nothing_is_ordered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for text in ["", "{", "{\"format\":2,\"last\":0,\"orders\":[]}"] {
            std::fs::write(&path, text).unwrap();
            let fault = Orders::open(folder.path()).unwrap_err();
            assert!(fault.text.contains("wallet-orders.json"), "{}", fault.text);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
