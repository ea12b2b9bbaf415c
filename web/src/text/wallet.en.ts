// The words of the wallet's screens in English.
export const walletEn = {
  // Making one.
  none_title: 'No wallet yet', none_text: 'A wallet holds the key to your money, on the daemon’s machine, under a password of its own. All of BitTorrent works without one.',
  create_title: 'Create a wallet', restore_title: 'Restore a wallet', create: 'Create', restore: 'Restore', next: 'Next', noted: 'I have written them down',
  words_text: 'These twelve words are your wallet. Write them on paper, in this order.', words_warning: 'Who has these words has the money. Who loses them and the password has lost it. They are shown this once.',
  check_text: 'So that they are really on paper: which words are these?', word_number: 'Word {number}', check_wrong: 'That is not what was shown. Look at your paper, or see the words again.', see_again: 'See the words again',
  your_words: 'Your words, in their order', words_counted: { one: '{count} word', other: '{count} words' }, password_text: 'The wallet’s own password, for this machine. It is asked for when something is signed, and cannot be reset.',
  wallet_password: 'The wallet’s password', password_again: 'Once more', created: 'The wallet is there.', restored: 'The wallet is back.',
  // What it has.
  wallet: 'Wallet', locked: 'locked', unlocked: 'unlocked', until: 'until {time}', unlock: 'Unlock', lock: 'Lock', coin: 'Coin', coin_for_fees: 'For fees',
  unlock_title: 'Unlock the wallet', unlock_text: 'While it is unlocked, payments of yours are signed without asking for this password again.', for_how_long: 'For how long', minutes: { one: '{count} minute', other: '{count} minutes' },
  receive: 'Receive', receive_text: 'Send only what lies on the network “{network}” to this address.', receive_no_network: 'This wallet is on no network yet.', no_network_title: 'On no network yet', no_network_text: 'Tokens live on a network. Whoever runs one has a file that says where it is; with it this wallet joins.', qr_label: 'The address as a code to scan',
  // A network.
  join: 'Join', join_title: 'Join a network', join_text: 'The file says which chain it is, where its contracts are and whom to ask. Its servers are asked before anything is believed.', network_file: 'Network file', choose_file: 'Choose a file', joined: 'The wallet is on this network now.',
  join_check: 'So the file says, and so the chain is. Is it the one you mean?', chain: 'Chain', genesis: 'First block', tokens: 'Tokens', join_only: 'From now on this wallet signs for this network and no other.',
  join_one: 'Trusted: the operator of {server} alone, who can make up all of this. A file with two servers is better.', join_many: 'These say the same: {servers}.',
  // The vault.
  vault: 'Vault', vault_text: 'What lies here pays for lanes. Sellers take cheques on it; the bond is burned if one bounces.', free: 'Free in the vault', promised: 'Promised', the_bond: 'Bond', credit: 'Credit: earned and cashed', owed: 'Owed',
  bounces: { one: '{count} cheque has bounced.', other: '{count} cheques have bounced.' }, exit_waits: '{amount} can be taken out from {time} on.', bond_exit_waits: 'The bond can be taken back from {time} on.',
  trust_title: 'What the node may spend by itself', trust: 'Allow the node', trust_anew: 'Allow anew', trusted: 'The node may spend now, up to that sum.', trust_max: 'At most, {symbol}',
  trust_text: 'A session key lets the node pay for lanes while the wallet stays locked: up to this sum, for about a week, and only for torrents that have a paid lane. No fee.', in_vault: 'Free in the vault:',
  key_spent: 'Spent', of: 'of', no_key: 'Nothing: nothing can be bought before you allow it.', revoked: 'Revoked; it counts on the chain from {time} on.', fee_key: 'Key that pays the fees of cashing',
  // Verbs.
  send: 'Send', send_text: 'To an account on the same network. Nobody can call it back.', to: 'To', asset: 'What', amount: 'Amount, {symbol}', there_is: 'There is', amount_wrong: 'An amount is digits with a point or a comma, at most {digits} behind it.',
  deposit: 'Deposit', deposit_text: 'From the wallet into the vault, to pay for lanes with. It can be taken out again, a day after asking.', from_credit: 'Take it from the credit, not from the wallet',
  bond: 'Add to the bond', bond_text: 'Sellers give more credit to who has a bond: it burns if a cheque bounces. It can be taken back a week after asking.',
  exit: 'Take out', exit_text: 'Asks the vault for money back. A day later it can be taken to the wallet. Another sum replaces what was asked for; 0 cancels it.', exit_take: 'Take to the wallet', exit_take_text: 'What was asked back goes from the vault to the wallet.',
  bond_exit: 'Take the bond back', bond_exit_text: 'Asks for the whole bond. A week later it can be taken; sellers give less credit meanwhile.', bond_exit_take: 'Take the bond', bond_exit_take_text: 'The bond goes from the vault to the wallet.',
  withdraw: 'Take the credit', withdraw_text: 'What was earned and cashed goes from the vault to the wallet.',
  revoke: 'Revoke', revoke_text: 'Turns buying off at once, and takes back all session keys on the chain, which counts in a day.',
  preview: 'See what it costs', from: 'From', network: 'Network', fee_most: 'Fees at most', fee_likely: 'Fees, likely', unlocks_text: 'It unlocks the wallet for 15 minutes.', hold_word: 'pay', ordered: 'It is under way.',
  // Orders and history.
  orders: 'Orders', order_waiting: 'waiting', order_under_way: 'under way', order_done: 'done', order_failed: 'failed', order_unsure: 'unsure', confirmations: '{have} of {want} confirmations', fee: 'fee',
  unsure_text: 'The daemon ended in the middle of it. It may have been sent: look at the history before you do it again.',
  history: 'Came and went', history_empty: 'Nothing has come or gone yet. “Receive” shows the address to be paid at.', came: 'Came', went: 'Went', block: 'block {number}', older: 'Older',
} as const
