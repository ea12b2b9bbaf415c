// The EIP-712 types that payers, payees and session keys sign, and the domain they sign them for.

const field = (text) => {
  const [type, name] = text.split(' ')
  return { name, type }
}

const struct = (fields) => fields.split(',').map(field)

/** Every signed type, in the form that viem and ethers take. */
export const types = {
  Cheque: struct('address payer,address payee,address token,uint64 epoch,uint128 cumulative,bytes32 root,' +
    'uint128 unit,uint32 links,uint64 channel'),
  Delegate: struct('address owner,address session,address token,uint128 maxAmount,uint128 bondAtRisk,' +
    'uint64 validUntil'),
  CloseLock: struct('address payer,address payee,address token,uint64 nonce'),
  Bind: struct('bytes32 transcript')
}

/** A type as it is hashed: `Name(type field,...)`. */
export const typeString = (name) =>
  `${name}(${types[name].map((field) => `${field.type} ${field.name}`).join(',')})`

/** The domain of one vault on one chain. */
export const domain = (chainId, verifyingContract) =>
  ({ name: 'Piecework', version: '1', chainId, verifyingContract })
