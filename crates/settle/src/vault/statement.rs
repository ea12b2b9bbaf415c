//! What a node asks of payers, many at once: account, lock, channel and delegation in a few exchanges.

use super::state::{account, channel, delegation, lock};
use super::{Account, ChannelState, DelegationState, Lock};
use crate::abi::Vault;
use crate::client::Client;
use crate::error::SettleError;
use crate::eth::At;
use crate::rpc::{Rpc, RpcError};
use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::SolCall;

/// Questions that are asked in one exchange at most: several operators take no more than a hundred calls.
pub const QUESTIONS_MAX: usize = 24;

/// What is wanted of a payer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Question {
    /// Whose account.
    pub payer: Address,
    /// For which payee: locks and channels are between two.
    pub payee: Address,
    /// In which token.
    pub token: Address,
    /// Which channel of the account's epoch.
    pub channel: u64,
    /// Which delegation, by its digest.
    pub delegation: Option<B256>,
}

/// What the Vault says to a [`Question`], after one block.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Statement {
    /// The payer's account.
    pub account: Account,
    /// What is reserved for the payee.
    pub lock: Lock,
    /// What was promised and paid on the channel.
    pub channel: ChannelState,
    /// What the delegation has used up; nothing without one.
    pub delegation: DelegationState,
}

/// What counts, and what is about to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// Behind the network's confirmations: no reorganisation takes it back.
    pub settled: Statement,
    /// After the newest block.
    pub newest: Statement,
}

impl Client {
    /// What the Vault says to questions, in their order.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn statements(&self, questions: &[Question]) -> Result<Vec<Answer>, SettleError> {
        let mut answers = Vec::with_capacity(questions.len());
        for some in questions.chunks(QUESTIONS_MAX) {
            let depth = self.network().confirmations;
            if depth == 0 {
                let newest = self.statements_at(some, At::Latest)?;
                answers.extend(newest.iter().map(|it| Answer { settled: *it, newest: *it }));
                continue;
            }
            let height = self.height()?;
            let settled = self.statements_at(some, At::Block(height.saturating_sub(depth)))?;
            let newest = self.statements_at(some, At::Block(height))?;
            let both = settled.into_iter().zip(newest);
            answers.extend(both.map(|(settled, newest)| Answer { settled, newest }));
        }
        Ok(answers)
    }

    fn statements_at(&self, questions: &[Question], at: At) -> Result<Vec<Statement>, SettleError> {
        let vault = self.network().vault.address;
        self.agree("accounts of the vault", |server| server.statements(vault, questions, at))
    }
}

/// A call of the Vault, and where its answer belongs.
struct Read {
    place: usize,
    data: Vec<u8>,
    put: fn(&mut Statement, &[u8]) -> Result<(), alloy_sol_types::Error>,
}

impl Rpc {
    fn statements(
        &self,
        vault: Address,
        questions: &[Question],
        at: At,
    ) -> Result<Vec<Statement>, RpcError> {
        let mut statements = vec![Statement::default(); questions.len()];
        let reads = (0..).zip(questions).flat_map(|(place, question)| first(place, question));
        self.put_all(vault, &reads.collect::<Vec<_>>(), at, &mut statements)?;
        // A channel is one of the account's epoch, which is known only now.
        let known = (0..).zip(questions).zip(&statements);
        let reads = known.filter_map(|((place, question), statement)| {
            second(place, question, statement.account.epoch)
        });
        self.put_all(vault, &reads.collect::<Vec<_>>(), at, &mut statements)?;
        Ok(statements)
    }

    fn put_all(
        &self,
        vault: Address,
        reads: &[Read],
        at: At,
        statements: &mut [Statement],
    ) -> Result<(), RpcError> {
        let calls: Vec<_> = reads.iter().map(|read| read.data.as_slice()).collect();
        let answers: Vec<Bytes> = self.read_raw_all(vault, &calls, at)?;
        for (read, answer) in reads.iter().zip(&answers) {
            let put = (read.put)(&mut statements[read.place], answer);
            put.map_err(|_| self.no_such("a question to the vault", answer))?;
        }
        Ok(())
    }
}

fn first(place: usize, question: &Question) -> impl Iterator<Item = Read> {
    let Question { payer, payee, token, delegation: digest, .. } = *question;
    let account_read = Read {
        place,
        data: Vault::accountCall { payer, token }.abi_encode(),
        put: |statement, answer| {
            statement.account = account(&Vault::accountCall::abi_decode_returns_validate(answer)?);
            Ok(())
        },
    };
    let lock_read = Read {
        place,
        data: Vault::lockOfCall { payer, payee, token }.abi_encode(),
        put: |statement, answer| {
            statement.lock = lock(&Vault::lockOfCall::abi_decode_returns_validate(answer)?);
            Ok(())
        },
    };
    let delegation_read = digest.map(|digest| Read {
        place,
        data: Vault::delegationCall { owner: payer, digest }.abi_encode(),
        put: |statement, answer| {
            let it = Vault::delegationCall::abi_decode_returns_validate(answer)?;
            statement.delegation = delegation(&it);
            Ok(())
        },
    });
    [account_read, lock_read].into_iter().chain(delegation_read)
}

fn second(place: usize, question: &Question, epoch: u64) -> Option<Read> {
    let Question { payer, payee, token, channel: channel_, .. } = *question;
    (epoch > 0).then(|| Read {
        place,
        data: Vault::channelCall { payer, payee, token, epoch, channel_ }.abi_encode(),
        put: |statement, answer| {
            statement.channel = channel(&Vault::channelCall::abi_decode_returns_validate(answer)?);
            Ok(())
        },
    })
}
