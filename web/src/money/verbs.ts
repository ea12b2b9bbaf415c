// What can be done with a wallet's money: each verb with its fields, its words and its route.
import { api } from '../api/client'
import type { Order, Plan } from '../api/schema'
import type { WalletKey } from '../text/wallet'

export type Fields = { amount: string; to: string; asset: string; fromCredit: boolean }

export type Verb = {
  title: WalletKey
  text: WalletKey
  act: WalletKey
  fields: (keyof Fields)[]
}

export const VERBS = {
  send: { title: 'send', text: 'send_text', act: 'send', fields: ['to', 'asset', 'amount'] },
  deposit: { title: 'deposit', text: 'deposit_text', act: 'deposit', fields: ['amount', 'fromCredit'] },
  bond: { title: 'bond', text: 'bond_text', act: 'bond', fields: ['amount', 'fromCredit'] },
  exit: { title: 'exit', text: 'exit_text', act: 'exit', fields: ['amount'] },
  exit_take: { title: 'exit_take', text: 'exit_take_text', act: 'exit_take', fields: [] },
  bond_exit: { title: 'bond_exit', text: 'bond_exit_text', act: 'bond_exit', fields: [] },
  bond_exit_take: { title: 'bond_exit_take', text: 'bond_exit_take_text', act: 'bond_exit_take', fields: [] },
  withdraw: { title: 'withdraw', text: 'withdraw_text', act: 'withdraw', fields: [] },
  revoke: { title: 'revoke', text: 'revoke_text', act: 'revoke', fields: [] },
} as const satisfies Record<string, Verb>
export type VerbName = keyof typeof VERBS

/** Asks for a plan, or has it carried out once. */
const ask = (name: VerbName, fields: Fields, more: { query: { preview: boolean }; fee_most?: string; once?: string }): Promise<Plan | Order> => {
  const { query, once } = more
  const fee = more.fee_most === undefined ? {} : { fee_most: more.fee_most }
  const rest = { query, ...(once === undefined ? {} : { once }) }
  const { amount, to, asset, fromCredit } = fields
  switch (name) {
    case 'send': return api('POST /wallet/transfers', { ...rest, body: { to: to.trim(), amount, asset, ...fee } })
    case 'deposit': return api('POST /vault/deposits', { ...rest, body: { amount, from_credit: fromCredit, ...fee } })
    case 'bond': return api('POST /vault/bonds', { ...rest, body: { amount, from_credit: fromCredit, ...fee } })
    case 'exit': return api('POST /vault/exits', { ...rest, body: { amount, ...fee } })
    case 'exit_take': return api('POST /vault/exits:take', { ...rest, body: fee })
    case 'bond_exit': return api('POST /vault/bond-exits', { ...rest, body: fee })
    case 'bond_exit_take': return api('POST /vault/bond-exits:take', { ...rest, body: fee })
    case 'withdraw': return api('POST /vault/withdrawals', { ...rest, body: fee })
    case 'revoke': return api('POST /vault/keys:revoke', { ...rest, body: fee })
  }
}

/** What it would do, and cost. */
export const preview = async (name: VerbName, fields: Fields): Promise<Plan> => (await ask(name, fields, { query: { preview: true } })) as Plan

/** Does it, once for each `once`, at fees that are at most those of the plan. */
export const carryOut = async (name: VerbName, fields: Fields, plan: Plan, once: string): Promise<Order> =>
  (await ask(name, fields, { query: { preview: false }, fee_most: plan.fee_most.whole, once })) as Order
