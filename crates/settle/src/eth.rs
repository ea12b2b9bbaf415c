//! What a server is asked about the chain, each answer in its type.

use crate::rpc::{Field, Rpc, RpcError, RpcFault};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::SolCall;
use serde_json::{Value, json};

/// The state that a question is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum At {
    /// After the newest block.
    Latest,
    /// As the next block would find it, with its time.
    Pending,
    /// After this block.
    Block(u64),
}

impl At {
    fn json(self) -> Value {
        match self {
            Self::Latest => json!("latest"),
            Self::Pending => json!("pending"),
            Self::Block(number) => json!(quantity(number)),
        }
    }
}

/// What is looked at in a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Block {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// The price of gas that is burnt, wei; absent before EIP-1559.
    pub base_fee: Option<u128>,
}

impl Rpc {
    /// The chain's number (EIP-155).
    ///
    /// # Errors
    /// When the call fails or the answer is no number.
    pub fn chain_id(&self) -> Result<u64, RpcError> {
        self.ask("eth_chainId", &json!([]), |it| it.u64())
    }

    /// The height of the newest block.
    ///
    /// # Errors
    /// When the call fails or the answer is no number.
    pub fn height(&self) -> Result<u64, RpcError> {
        self.ask("eth_blockNumber", &json!([]), |it| it.u64())
    }

    /// A block, or `None` when there is none of that height yet. Of the one that is not made yet, only the
    /// time is told.
    ///
    /// # Errors
    /// When the call fails or the answer is no block.
    pub fn block(&self, at: At) -> Result<Option<Block>, RpcError> {
        self.ask("eth_getBlockByNumber", &json!([at.json(), false]), |block| {
            if block.is_null() {
                return Ok(None);
            }
            // A block that is not made yet has no number and no hash with some programs.
            if at == At::Pending {
                let (number, hash) = (0, B256::ZERO);
                let (timestamp, base_fee) = (block.get("timestamp").u64()?, None);
                return Ok(Some(Block { number, hash, timestamp, base_fee }));
            }
            let number = block.get("number").u64()?;
            if let At::Block(wanted) = at
                && wanted != number
            {
                return Err(block.get("number").wrong("the height that was asked for"));
            }
            Ok(Some(Block {
                number,
                hash: block.get("hash").b256()?,
                timestamp: block.get("timestamp").u64()?,
                base_fee: block.get("baseFeePerGas").present().map(Field::u128).transpose()?,
            }))
        })
    }

    /// The hash of a contract's code, or `None` where there is none.
    ///
    /// # Errors
    /// When the call fails or the answer is no data.
    pub fn code_hash(&self, address: Address, at: At) -> Result<Option<B256>, RpcError> {
        let code = self.ask("eth_getCode", &json!([address, at.json()]), |it| it.bytes())?;
        Ok((!code.is_empty()).then(|| keccak256(&code)))
    }

    /// What a contract answers to a call that changes nothing.
    ///
    /// # Errors
    /// When the call fails, the contract reverts, or the answer has another type.
    pub fn read<C: SolCall>(&self, to: Address, call: &C, at: At) -> Result<C::Return, RpcError> {
        let answer = self.read_raw(to, &call.abi_encode(), at)?;
        C::abi_decode_returns_validate(&answer).map_err(|_| self.no_such(C::SIGNATURE, &answer))
    }

    /// The same, as it came.
    pub(crate) fn read_raw(&self, to: Address, data: &[u8], at: At) -> Result<Bytes, RpcError> {
        let call = json!({ "to": to, "data": Bytes::copy_from_slice(data) });
        self.ask("eth_call", &json!([call, at.json()]), |it| it.bytes())
    }

    /// What a contract answers to several calls, as it came: in one exchange, or one by one where a server
    /// takes no batch.
    pub(crate) fn read_raw_all(
        &self,
        to: Address,
        calls: &[&[u8]],
        at: At,
    ) -> Result<Vec<Bytes>, RpcError> {
        let params =
            |data: &&[u8]| json!([{ "to": to, "data": Bytes::copy_from_slice(data) }, at.json()]);
        let params: Vec<_> = calls.iter().map(params).collect();
        match self.call_all("eth_call", &params) {
            Ok(results) => {
                let read = |result| Field::new("the result", result).bytes();
                let read: Result<Vec<_>, _> = results.iter().map(read).collect();
                read.map_err(|fault| self.error("eth_call", fault))
            }
            Err(RpcError {
                fault: RpcFault::NotAnAnswer { .. } | RpcFault::Refused { .. },
                ..
            }) => calls.iter().map(|data| self.read_raw(to, data, at)).collect(),
            Err(error) => Err(error),
        }
    }

    /// An answer that is not one to the function that was called.
    pub(crate) fn no_such(&self, function: &'static str, answer: &Bytes) -> RpcError {
        let expected = "what this function of the contract returns";
        let got =
            if answer.is_empty() { "nothing".into() } else { format!("{} bytes", answer.len()) };
        self.error("eth_call", RpcFault::Field { what: function, expected, got })
    }

    /// Calls and reads the result.
    pub(crate) fn ask<T>(
        &self,
        method: &'static str,
        params: &Value,
        read: impl FnOnce(Field<'_>) -> Result<T, RpcFault>,
    ) -> Result<T, RpcError> {
        let result = self.call(method, params)?;
        read(Field::new("the result", &result)).map_err(|fault| self.error(method, fault))
    }
}

/// A number in Ethereum's form.
pub(crate) fn quantity(number: u64) -> String {
    format!("{number:#x}")
}
