// Made by scripts/client.mjs from docs/api/openapi.json: change that, then run `npm run client`.

/** How adding went, one answer for each that was sent, in that order. */
export interface Added {
  results: AddedOne[]
}

/** How adding one of them went: an id, or a problem. */
export interface AddedOne {
  /** The torrent. */
  id?: string
  /** Why it was not added; with an `id`, why it was added without its lane. */
  problem?: Problem
  /** The link, or the file's name; the beginning of it. */
  source: string
  /** It was there before: trackers that were new were taken over. */
  was_there: boolean
}

/** What needs nothing but to be agreed to. */
export interface Agreed {
  /** What the fees may come to at most, whole coins: those of the plan. */
  fee_most?: string | null
}

/** An amount, exactly. */
export interface Amount {
  /** The integer of smallest units. */
  units: string
  /** Whole coins or tokens, as people write them. */
  whole: string
}

/** What is asked back. */
export interface AskBack {
  /** Whole tokens, in place of what was asked back before; 0 takes that back. */
  amount: string
  /** What the fees may come to at most, whole coins: those of the plan. */
  fee_most?: string | null
}

export interface Bought {
  budget: string
  /** Why nothing is bought, with a remedy. */
  hold?: string | null
  hold_reason?: HoldName | null
  lane: LaneName
  max_price: string
  name: string
  paid_sellers: number
  /** What the dearest seller gets for a GiB. */
  price: string
  sellers: number
  spent: string
  torrent?: string | null
}

export interface Buyer {
  account: string
  address: string
  is_paid: boolean
  owed: string
  paid: string
  price: string
  /** What it was allocated, bytes a second. */
  rate: number
  served_bytes: number
  torrent?: string | null
  window_bytes: number
}

export interface Buying {
  /** What may be spent in a day (UTC); `null` for no limit. */
  day_max?: string | null
  is_on: boolean
  sellers: Seller[]
  spent_today: string
  torrents: Bought[]
  /** What the node was entrusted with, in words. */
  trust: string
}

/** The folders of a category. */
export interface Category {
  /** The same until they are complete; `null`: as for all torrents. */
  incomplete_path?: string | null
  /** Where its torrents lie: absolute, or below the save path of all. Empty: its name below that. */
  save_path?: string
}

/** What became of a change. */
export interface Changed {
  /** Keys of those that count from the next start. */
  needs_restart: string[]
}

/** Another client. */
export type Client = 'qbittorrent' | 'transmission'

/** The password once more. */
export interface Confirmation {
  password: string
}

export interface Confirmations {
  have: number
  want: number
}

/** A key, whole, for the only time. */
export interface CreatedKey {
  id: number
  /** The secret. It is not kept: who loses it makes another key. */
  key: string
}

/** How many words. */
export interface DrawWords {
  /** 12 or 24. */
  words?: number
}

/** A session key that was drawn. */
export interface DrawnKey {
  address: string
  bond_at_risk: Amount
  max: Amount
  /** Until when it counts. */
  valid_until: number
}

/** New words. */
export interface DrawnWords {
  /** Whoever has them has all that the wallet of them owns. They are kept nowhere. */
  phrase: string
}

export interface FeeKey {
  address: string
  coin?: Amount | null
}

/** A feed as it is. */
export interface Feed {
  /** Unix seconds of the next look. */
  due_at: number
  /** Why the last look failed. */
  error?: string | null
  /** Minutes between two looks. */
  interval_minutes: number
  /** Unix seconds of the last look that ended well. */
  seen_at?: number | null
  /** What it offered last, newest first. */
  titles: string[]
  /** Its address up to the question mark: what follows is often a secret. */
  url: string
}

/** A rule. */
export interface FeedRule {
  /** What is taken waits for a person to start it. */
  adds_stopped?: boolean
  /** Category of what is taken. */
  category?: string | null
  /** Which episodes, as in `2x3;5-7;10-`; all if empty. */
  episodes?: string
  /** Names of the feeds it looks at; all if empty. */
  feeds?: string[]
  /** It is not followed. */
  is_off?: boolean
  /** The two above are regular expressions. */
  is_regex?: boolean
  /** Days after a match in which nothing more is taken; 0 for none. */
  pause_days?: number
  /** What titles must not have, in the same form. */
  refuses?: string
  /** Folder of what is taken, instead of the usual one. */
  save_path?: string | null
  /** Tags of what is taken. */
  tags?: string[]
  /** What titles must have: all words, `*` and `?` as in file names, `|` between alternatives. */
  wants?: string
}

/** A file of a torrent. */
export interface File {
  /** Its number in the torrent. */
  index: number
  /** Where it is stored, below the torrent's folder, with `/` between parts. */
  path: string
  /** 0 skips, 4 is normal, 7 is the highest. */
  priority: number
  /** How much of it is there, in thousandths. */
  progress_milli: number
  size_bytes: number
}

/** A file to change. */
export interface FileEdit {
  /** Its number. */
  index: number
  /** Another path below the torrent's folder. */
  path?: string | null
  /** 0 skips, 4 is normal, 7 is the highest. */
  priority?: number | null
}

/** Folders in one place. */
export interface Folders {
  /** Absolute paths, by name. */
  folders: string[]
  /** The place; `null` for the roots. */
  path?: string | null
}

/** What is to be put aside. */
export interface Fund {
  /** Whole tokens. */
  amount: string
  /** What the fees may come to at most, whole coins: those of the plan. */
  fee_most?: string | null
  /** Of what was earned and cashed, not of the wallet's balance. */
  from_credit?: boolean
}

export interface HeldToken {
  address: string
  balance?: Amount | null
  decimals: number
  /** Lanes are paid in it. */
  is_payment_token: boolean
  name: string
  symbol: string
}

/** A page of what came in and went out. */
export interface History {
  /** Newest first. */
  items: Movement[]
  /** What `before` is to be for more; `null` at the end. */
  next?: number | null
}

/** Why nothing is bought. */
export type HoldName = 'budget' | 'day' | 'funds' | 'price' | 'chain'

/** Torrents by their primary info-hashes. */
export interface Ids {
  ids: string[]
}

/** What to take over. */
export interface Import {
  /** Whose profile it is. */
  from: Client
  /** Say what would happen, and change nothing. */
  is_dry?: boolean
  /** The profile's folder on the daemon's machine: an absolute path. */
  path: string
}

/** How the import of one torrent ended. */
export type ImportEnd = 'added' | 'present' | 'refused'

/** What became of it. */
export interface ImportReport {
  /** What could not be taken over as it was. */
  notes: string[]
  /** One for each torrent of the profile. */
  torrents: ImportedTorrent[]
}

/** What became of one torrent. */
export interface ImportedTorrent {
  /** Why it was refused, with the remedy. */
  detail?: string | null
  /** How it ended. */
  end: ImportEnd
  /** Its id; `null` if it was refused. */
  id?: string | null
  /** Its name, or what the other client calls its files. */
  name: string
}

/** An API key without its secret. */
export interface Key {
  /** Unix seconds. */
  created_at: number
  id: number
  /** What it is for. */
  name: string
  /** What it is answered: `read`, `control`, `spend`. */
  scopes: string[]
}

/** An API key. */
export interface KeyLogin {
  key: string
}

/** The lane of a torrent. */
export interface Lane {
  /** `null` in the free lane. */
  budget?: string | null
  /** Why nothing is bought, with a remedy. */
  hold?: string | null
  hold_reason?: HoldName | null
  lane: LaneName
  max_price?: string | null
  network: MarketNetwork
  /** What was spent for it ever. */
  spent: string
  token: MarketToken
}

/** How fast. */
export type LaneName = 'slow' | 'medium' | 'fast'

/** The log's level. */
export interface Level {
  /** `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,piecework_dht=debug`. */
  level: string
}

/** `global`, `unlimited` or a number. */
export type Limit = LimitWord | number

/** A limit that is no number. */
export type LimitWord = 'global' | 'unlimited'

/** User and password. */
export interface Login {
  password: string
  user: string
}

/** What the node sells and buys. */
export interface Market {
  /** Whose account buys, and whom buyers pay. */
  account?: string | null
  buying?: Buying | null
  chain?: MarketChain | null
  network?: MarketNetwork | null
  /** Why it cannot trade, with a remedy; all else is `null` then. */
  problem?: string | null
  selling?: Selling | null
  token?: MarketToken | null
}

export interface MarketChain {
  is_reachable: boolean
  /** In words. */
  text: string
}

export interface MarketNetwork {
  chain_id: number
  /** The short name of the coin that fees are paid in. */
  coin: string
  /** Amounts are worth nothing outside of it. */
  is_test_money: boolean
  name: string
}

/** What is to be changed; what is left out stays. */
export interface MarketPatch {
  /** Pay for the lanes of torrents, or stop everywhere at once. */
  buys?: boolean | null
  /** Bytes a second that the uplink carries: the node's upload limit. */
  capacity?: number | null
  /** What may be spent in a day (UTC); `null` for no limit. */
  day_max?: string | null
  /** Hundredths of the uplink for those who do not pay. */
  free_percent?: number | null
  /** The lowest ask. */
  price_floor?: string | null
  /** Sell a part of the uplink, or stop. */
  sells?: boolean | null
}

export interface MarketToken {
  address: string
  decimals: number
  symbol: string
}

/** Something that a rule would take. */
export interface Match {
  /** Which feed offers it. */
  feed: string
  /** Its title. */
  title: string
}

/** Torrents to another place in the queue. */
export interface Move {
  ids: string[]
  to: Place
}

export interface Movement {
  amount: Amount
  /** When; `null` where the chain does not say. */
  at?: number | null
  block: number
  from: string
  is_incoming: boolean
  symbol: string
  to: string
  /** The token's contract. */
  token: string
  transaction: string
}

/** A network file. */
export interface NetworkFile {
  /** Its text, as `piecework chain share` writes it. */
  file: string
}

/** What a network file says, which its servers have confirmed. */
export interface NetworkLook {
  chain_id: number
  /** The short name of its coin. */
  coin: string
  /** Why others of its servers do not. */
  failed: string[]
  /** The hash of its first block: by it two people see that they mean the same chain. */
  genesis: string
  /** One operator alone confirms it, who can make up all that it says. */
  is_one_operator: boolean
  /** Amounts are worth nothing outside of it. */
  is_test_money: boolean
  name: string
  /** Who confirms it. */
  servers: string[]
  tokens: NetworkToken[]
}

export interface NetworkToken {
  address: string
  decimals: number
  name: string
  symbol: string
}

/** A feed to look at. */
export interface NewFeed {
  /** Minutes between two looks; 30 if left out. Less than one counts as one. */
  interval_minutes?: number | null
  /** An http(s) address. */
  url: string
}

/** The parts of a form; any number of `torrents` and `links`. */
export interface NewFiles {
  /** Links. */
  links: string[]
  /** What is wanted of all of them, as JSON. */
  options: NewOptions
  /** Torrent files. */
  torrents: string[]
}

/** A key to make. */
export interface NewKey {
  /** What it is for. */
  name: string
  /** What it is answered. */
  scopes: Scope[]
}

/** A lane, and what it may cost. */
export interface NewLane {
  /** What it may cost in all; needed but for `slow`. */
  budget?: string | null
  /** Slow is free; the others are bid for. */
  lane: LaneName
  /** The highest price of a GiB; left out, the budget over the torrent's size, once that is known. */
  max_price?: string | null
}

/** Links to add, with what is wanted of all of them. */
export interface NewLinks {
  /** Magnets, bare info-hashes, or http(s) addresses of torrent files. */
  links: string[]
  /** What is wanted of them. */
  options?: NewOptions
}

/** What is wanted of new torrents; what is left out is as the settings say. */
export interface NewOptions {
  /** It goes to the top of the queue. */
  at_top?: boolean
  /** A category that is there. */
  category?: string | null
  /** Bytes a second. */
  down_limit?: number | null
  /** First and last pieces of files come first. */
  edges_first?: boolean
  /** The folder until it is complete. */
  incomplete_path?: string | null
  /** It takes part whatever the queue says. */
  is_forced?: boolean
  /** Pieces are asked for in order. */
  is_sequential?: boolean
  /** It takes no part until it is started; one that is forced does unless this is said. */
  is_stopped?: boolean | null
  /** Files of the right size count as complete and are not hashed. */
  is_trusted?: boolean
  lane?: NewLane | null
  /** A name for people in place of the one that it gives itself. */
  name?: string | null
  /** Peers to try: addresses with ports. */
  peers?: string[]
  /** Priorities of files by number: 0 skips, 4 is normal, 7 is the highest. */
  priorities?: Record<string, number>
  /** The folder of its files; absolute and within the roots. Paths follow no category then. */
  save_path?: string | null
  share_action?: ShareAction | null
  share_inactive_minutes?: Limit | null
  share_ratio_milli?: Limit | null
  share_seeding_minutes?: Limit | null
  tags?: string[]
  /** Bytes a second. */
  up_limit?: number | null
}

/** Peers to try. */
export interface NewPeers {
  /** Addresses with ports. */
  addresses: string[]
}

/** What a session key may do. */
export interface NewSessionKey {
  /** What of the bond its cheques may burn, whole tokens; left out, all of it. */
  bond_at_risk?: string | null
  /** What it may spend in all, whole tokens. */
  max: string
}

/** The words of a wallet, and what is to guard it. */
export interface NewWallet {
  /** Under which its key is kept. */
  password: string
  /** 12 or 24 words; case and blanks do not matter. */
  phrase: string
}

/** Something that happened. */
export interface News {
  /** Milliseconds since 1970. */
  at_ms: number
  /** A stable word for scripts. */
  code: string
  /** How serious it is. */
  level: 'info' | 'warning' | 'error'
  /** Grows by one each time. */
  number: number
  /** Cause and remedy on one line. */
  text: string
  /** Which torrent it is about. */
  torrent?: string | null
}

/** Figures of the whole node. */
export interface Node {
  /** Payload received in all runs. */
  all_down_bytes: number
  /** Payload sent in all runs. */
  all_up_bytes: number
  /** Nodes in the tables of the DHT; absent without one. */
  dht_nodes?: number | null
  /** Payload received in this run. */
  down_bytes: number
  /** Limit in force of what is received, bytes a second. */
  down_limit?: number | null
  /** Payload received a second. */
  down_rate: number
  /** Free bytes where new torrents are saved. */
  free_space: number
  /** The alternative limits hold. */
  is_alternative: boolean
  /** A peer has come to us by itself. */
  is_reachable: boolean
  /**
   * How the port is mapped at the gateway: none was asked, there is none, it is being asked, it maps
   * ours, or it does not.
   */
  mapping: 'off' | 'absent' | 'asking' | 'mapped' | 'failed'
  /** The same in words, with the reason. */
  mapping_text: string
  /** The port at which we are reached there: that of the gateway, if it maps ours. */
  outside_port: number
  /** Connected peers. */
  peers: number
  /** The port that peers reach us on. */
  port: number
  /** Our addresses as most peers, trackers and nodes see them; at most one of IPv4 and one of IPv6. */
  seen_at: string[]
  /** Unix seconds at its start. */
  started_at: number
  /** Payload sent in this run. */
  up_bytes: number
  /** Limit in force of what is sent, bytes a second. */
  up_limit?: number | null
  /** Payload sent a second. */
  up_rate: number
  /** The program's version. */
  version: string
}

/** Something that was agreed to, and how far it is. */
export interface Order {
  created_at: number
  ended_at?: number | null
  id: string
  kind: OrderKind
  /** Why it failed, or is unsure, and what to do. */
  problem?: string | null
  state: OrderState
  steps: OrderStep[]
}

/** What an order does. */
export type OrderKind = 'transfer' | 'deposit' | 'bond' | 'exit' | 'bond_exit' | 'withdrawal' | 'revocation'

/** How far an order is. One that is unsure may have been sent: look at the history before doing it again. */
export type OrderState = 'waiting' | 'under_way' | 'done' | 'failed' | 'unsure'

export interface OrderStep {
  block?: number | null
  confirmations?: Confirmations | null
  fee?: Amount | null
  fee_most: Amount
  state: OrderStepState
  /** Once it counts. */
  transaction?: string | null
  /** For people: verb, amount, whom. */
  what: string
}

/** How far a transaction is. */
export type OrderStepState = 'waiting' | 'sent' | 'confirming' | 'done'

/** The orders. */
export interface Orders {
  /** Newest first. */
  orders: Order[]
}

/** The old password and the new one. */
export interface Passwords {
  new: string
  old: string
}

/** A connected peer. */
export interface Peer {
  /** Its side of the connection. */
  address: string
  /** We do not answer its requests. */
  am_choking: boolean
  /** It has something that we want. */
  am_interested: boolean
  /** Its program, as it calls itself. */
  client: string
  /** How long it has been connected. */
  connected_seconds: number
  /** Payload received from it. */
  down_bytes: number
  /** Payload received from it, bytes a second. */
  down_rate: number
  /** It does not answer our requests. */
  is_choking: boolean
  is_encrypted: boolean
  /** It took over twice what it says it has and 64 MiB more: while we seed it is served last. */
  is_free_rider: boolean
  /** We have something that it wants. */
  is_interested: boolean
  is_outgoing: boolean
  /** It unchoked us and sends nothing. */
  is_snubbed: boolean
  /** What it has, in thousandths. */
  progress_milli: number
  /** How it was heard of. */
  source: 'given' | 'tracker' | 'exchange' | 'dht' | 'nearby' | 'incoming'
  /** Payload sent to it. */
  up_bytes: number
  /** Payload sent to it, bytes a second. */
  up_rate: number
}

/** The pieces of a torrent. */
export interface Pieces {
  /** Bytes of a full one. */
  piece_bytes: number
  /** A digit for each: 0 missing, 1 being fetched, 2 there. */
  states: string
}

/** A way in the queue. */
export type Place = 'top' | 'up' | 'down' | 'bottom'

/** What would be done, before it is. */
export interface Plan {
  /** The short name of the coin that fees are paid in. */
  coin: string
  /** All fees as they will probably be. */
  fee_likely: Amount
  /** All fees at most. */
  fee_most: Amount
  from: string
  /** Amounts are worth nothing outside of it. */
  is_test_money: boolean
  /** The network's name. */
  network: string
  /** One after the other. */
  steps: PlanStep[]
}

export interface PlanStep {
  fee_most: Amount
  /** At most. */
  gas: number
  /** For people: verb, amount, whom. */
  what: string
}

/** RFC 9457. Programs decide by the code, people read the detail. */
export interface Problem {
  code: 'bad_request' | 'invalid' | 'unauthorized' | 'wrong_password' | 'scope' | 'foreign_page' | 'forbidden' | 'not_found' | 'method' | 'timeout' | 'conflict' | 'cursor_gone' | 'no_wallet' | 'wallet_exists' | 'wallet_locked' | 'wrong_wallet_password' | 'no_network' | 'chain_unreachable' | 'too_little' | 'refused' | 'price_rose' | 'too_large' | 'media_type' | 'range' | 'foreign_host' | 'too_many' | 'failed' | 'full'
  /** Cause and remedy on one line. */
  detail: string
  status: number
  title: string
  type: string
}

/** Torrents to remove. */
export interface Removal {
  /** Their payload goes too. */
  deletes_files?: boolean
  ids: string[]
}

/** What was earned or spent. */
export interface Report {
  /** By day (UTC). */
  days: ReportLine[]
  /** By account of the other side. */
  peers: ReportLine[]
  /** By torrent. */
  torrents: ReportLine[]
  /** In all, a line for each token. */
  totals: ReportLine[]
}

/** Sums in one token. */
export interface ReportLine {
  /** Earned or spent, in whole tokens. */
  amount: string
  /** Bytes that were paid for. */
  bytes: number
  /** The chain's number. */
  chain_id: number
  /** The day, of a line by day. */
  day?: string
  /** What cashing has cost, in the token. */
  fees: string
  /** The same in the chain's coin. */
  fees_coin: string
  /** Unix seconds of the first payment. */
  first_at: number
  /** Whether it is worth nothing, as on every network whose file does not say otherwise. */
  is_test_money: boolean
  /** Unix seconds of the last one. */
  last_at: number
  /** Its name, while the daemon has it. */
  name?: string
  /** The network's name; null for one that this node is not on. */
  network?: string | null
  /** The account, of a line by peer. */
  peer?: string
  /** Of it, what the vault has not paid yet. */
  pending: string
  /** The mean price of a GiB; null without bytes. */
  price_mean_per_gib?: string | null
  /** The last price of a GiB. */
  price_per_gib: string
  /**
   * Seconds that paying has saved at least; null when nothing came for free meanwhile, for earnings, and
   * by peer.
   */
  saved_seconds?: number | null
  /** Of it, what the vault has paid. */
  settled: string
  /** Its short name; null when it is not known, then amounts count its smallest unit. */
  symbol?: string | null
  /** The token's address. */
  token: string
  /** The torrent, of a line by torrent. */
  torrent?: string
}

/** A kind of request. */
export type Scope = 'read' | 'control' | 'spend'

export interface Seller {
  account?: string | null
  address: string
  bid: string
  is_paid: boolean
  owed: string
  paid: string
  price: string
  /** Bytes a second that it said it would send. */
  promised: number
  /** Bytes a second that come. */
  rate: number
  torrent?: string | null
}

export interface Selling {
  /** What is asked for a GiB. */
  ask: string
  buyers: Buyer[]
  /** The uplink, bytes a second; `null` without a limit. */
  capacity?: number | null
  /** What was cashed and lies in the vault for the wallet to take out. */
  credit: string
  /** The account that pays the fees of cashing. */
  fee_account?: string | null
  /** Coin that it has; `null` while the chain has not said. */
  fee_coin?: string | null
  /** Hundredths of it for those who do not pay. */
  free_percent: number
  is_on: boolean
  /** Thousandths of the paid capacity that are sold. */
  load_permille: number
  /** What all buyers pay for a GiB since the last allocation. */
  price: string
  /** The lowest ask. */
  price_floor: string
  /** What may be lost, in words. */
  risk: string
  /** What was earned and is not cashed. */
  uncashed: string
  /** Why nothing can be cashed, with a remedy. */
  waiting?: string | null
}

/** Who asks. */
export interface Session {
  /** By an API key. */
  is_key: boolean
  /** The user, or the key's name. */
  name: string
  /** What is answered: `read`, `control`, `spend`. */
  scopes: string[]
}

export interface SessionKey {
  address: string
  max: Amount
  /** When its revocation counts. */
  revoked_at?: number | null
  /** As far as cheques were cashed. */
  spent: Amount
  /** Until when it counts; sellers take its cheques until two days before. */
  valid_until: number
}

/** A setting. */
export interface Setting {
  /** What it does. */
  about: string
  default: string
  /** What a value looks like. */
  form: string
  key: string
  /** A change counts from the next start. */
  needs_restart: boolean
  /** Where the value came from: default, a file and line, the environment, a flag, or a change at run time. */
  origin: string
  /** As text, as all settings are written. */
  value: string
}

/** What happens at a share limit. */
export type ShareAction = 'global' | 'stop' | 'remove' | 'remove_with_files' | 'super_seed'

/** Limits of the node, bytes a second; `null` for none. */
export interface Speed {
  /** Of what is received while the alternative ones hold. */
  alternative_down_limit?: number | null
  /** Of what is sent while the alternative ones hold. */
  alternative_up_limit?: number | null
  /** Of what is received. */
  down_limit?: number | null
  /** The alternative ones hold. */
  is_alternative: boolean
  /** Of what is sent. */
  up_limit?: number | null
}

/** What is to be changed; what is left out stays. */
export interface SpeedPatch {
  /** See `Speed`; `null` for none. */
  alternative_down_limit?: number | null
  /** See `Speed`; `null` for none. */
  alternative_up_limit?: number | null
  /** See `Speed`; `null` for none. */
  down_limit?: number | null
  /** The alternative ones hold from now on, or not, until the schedule says otherwise. */
  is_alternative?: boolean | null
  /** See `Speed`; `null` for none. */
  up_limit?: number | null
}

/** Torrents to start. */
export interface Start {
  ids: string[]
  /** Whatever the queue says. */
  is_forced?: boolean
}

/** Trackers by tier. */
export interface Tiers {
  /** Addresses, one list for each tier. */
  tiers: string[][]
}

/** Fields of a torrent. null: nothing, or not known. Parts are in thousandths. */
export interface Torrent {
  active_seconds?: number
  added_at?: number
  availability_milli?: number | null
  category?: string | null
  completed_at?: number | null
  content_path?: string | null
  down_bytes?: number
  down_limit?: number | null
  down_rate?: number
  edges_first?: boolean
  error?: string | null
  eta_seconds?: number | null
  /** Of one torrent alone, once it is known. */
  file_count?: number
  id?: string
  incomplete_path?: string | null
  info_hash_v1?: string | null
  info_hash_v2?: string | null
  is_automatic?: boolean
  is_forced?: boolean
  is_private?: boolean | null
  is_sequential?: boolean
  is_super_seed?: boolean
  last_activity_at?: number | null
  left_bytes?: number
  magnet?: string | null
  moved_milli?: number | null
  name?: string
  peers?: number
  /** Of one torrent alone, once it is known. */
  piece_bytes?: number
  /** Of one torrent alone, once it is known. */
  piece_count?: number
  progress_milli?: number
  queue?: number | null
  ratio_milli?: number | null
  save_path?: string
  seeding_seconds?: number
  seeds?: number
  seen_complete_at?: number | null
  session_down_bytes?: number
  session_up_bytes?: number
  share_action?: string
  /** `global`, `unlimited` or a number. */
  share_inactive_minutes?: number | string
  /** `global`, `unlimited` or a number. */
  share_ratio_milli?: number | string
  /** `global`, `unlimited` or a number. */
  share_seeding_minutes?: number | string
  size_bytes?: number
  stage?: string
  swarm_peers?: number | null
  swarm_seeds?: number | null
  tags?: string[]
  tracker?: string | null
  tracker_count?: number
  up_bytes?: number
  up_limit?: number | null
  up_rate?: number
  wanted_bytes?: number
  wasted_bytes?: number
}

export interface TorrentList {
  /** What `after` is to be for more. */
  next: string | null
  /** As of which revision; see /events. */
  revision: number
  torrents: Torrent[]
  /** Torrents that the filter lets through. */
  total: number
}

/** What is to be changed; what is left out stays. */
export interface TorrentPatch {
  /** Its category, which must be there; `null` for none. */
  category?: string | null
  /** Bytes a second; `null` for no limit. */
  down_limit?: number | null
  /** First and last pieces of files come first. */
  edges_first?: boolean | null
  /** The folder until it is complete; `null` for none. */
  incomplete_path?: string | null
  /** Paths follow the category. */
  is_automatic?: boolean | null
  /** Pieces are asked for in order. */
  is_sequential?: boolean | null
  /** Each peer is shown few pieces. */
  is_super_seed?: boolean | null
  /** The name for people. */
  name?: string | null
  /** The folder of its files, which move there; absolute and within the roots. */
  save_path?: string | null
  share_action?: ShareAction | null
  share_inactive_minutes?: Limit | null
  share_ratio_milli?: Limit | null
  share_seeding_minutes?: Limit | null
  /** Exactly these tags; new ones are made. */
  tags?: string[] | null
  /** Bytes a second; `null` for no limit. */
  up_limit?: number | null
}

/** A tracker of a torrent. */
export interface Tracker {
  /** Downloads ever completed, as it last said. */
  downloaded?: number | null
  /** Its host. */
  host: string
  /** Its last answer, or why there was none. */
  message: string
  /** Until the next announce. */
  next_seconds?: number | null
  /** Peers that are no seeds, as it last said. */
  peers?: number | null
  /** Seeds as it last said. */
  seeds?: number | null
  state: 'not_contacted' | 'updating' | 'working' | 'failing'
  /** From 0 on. */
  tier: number
  /** Its whole address, which may hold a passkey; told to whoever may change it. */
  url?: string | null
}

/** What is to be sent, and to whom. */
export interface Transfer {
  /** Whole coins or tokens. */
  amount: string
  /** `coin`, or the contract of a token. */
  asset: string
  /** What the fees may come to at most, whole coins: those of the plan. */
  fee_most?: string | null
  /** An account: 0x and 40 hexadecimal digits, or as TRON writes it. */
  to: string
}

/** The wallet's password, and how long it is to count. */
export interface Unlocking {
  password: string
  /** Until it locks itself again. */
  seconds?: number
}

export interface Vault {
  /** What burns if a cheque bounces. */
  bond: Amount
  /** When the bond can be taken, if it was asked back. */
  bond_exit_at?: number | null
  /** Cheques that could not be paid whole: sellers refuse accounts that owe. */
  bounces: number
  /** What was earned and cashed, and not taken out. */
  credit: Amount
  exit?: VaultExit | null
  /** What cheques are paid from. */
  free: Amount
  /** What accepted cheques still have to get. */
  owed: Amount
  /** What written cheques and session keys can take of it. */
  promised: Amount
  symbol: string
  /** The token's contract. */
  token: string
}

export interface VaultExit {
  amount: Amount
  at: number
}

/** The wallet at one moment. */
export interface Wallet {
  address?: string | null
  coin?: Amount | null
  exists: boolean
  fee_key?: FeeKey | null
  /** Its key lies under its password alone: nothing can be signed. */
  is_locked: boolean
  network?: WalletNetwork | null
  /** Orders that are not over. */
  orders_under_way: number
  /** Why something of this is missing, with a remedy. */
  problem?: string | null
  session_key?: SessionKey | null
  /** Of the tokens of the network file. */
  tokens: HeldToken[]
  /** The same as TRON writes it. */
  tron_address?: string | null
  /** When it locks itself again. */
  unlocked_until?: number | null
  vault?: Vault | null
}

export interface WalletNetwork {
  /** Its newest block. */
  block?: number | null
  chain_id: number
  /** The short name of its coin. */
  coin: string
  /** It has answered just now. */
  is_reachable: boolean
  /** Amounts are worth nothing outside of it. */
  is_test_money: boolean
  name: string
}

/** An HTTP server that has the files. */
export interface WebSeed {
  /** It is asked for nothing any more. */
  is_dropped: boolean
  /** Why its last fetch failed, if one did. */
  message: string
  /** Its address, without secrets. */
  url: string
}

/** Every request: what it takes and what it answers. */
export interface Routes {
  'GET /categories': {
    answer: Record<string, Category>
  }
  'PUT /categories/{name}': {
    path: { name: string }
    body: Category
    answer: undefined
  }
  'DELETE /categories/{name}': {
    path: { name: string }
    answer: undefined
  }
  'GET /earnings': {
    query: { since?: string; until?: string; torrent?: string; format?: 'json' | 'csv' }
    answer: Report
  }
  'GET /events': {
    query: { since?: number; fields?: string }
    answer: string
  }
  'GET /feed-rules': {
    answer: Record<string, FeedRule>
  }
  'PUT /feed-rules/{name}': {
    path: { name: string }
    body: FeedRule
    answer: undefined
  }
  'DELETE /feed-rules/{name}': {
    path: { name: string }
    answer: undefined
  }
  'POST /feed-rules:try': {
    body: FeedRule
    answer: Match[]
  }
  'GET /feeds': {
    answer: Record<string, Feed>
  }
  'PUT /feeds/{name}': {
    path: { name: string }
    body: NewFeed
    answer: undefined
  }
  'DELETE /feeds/{name}': {
    path: { name: string }
    answer: undefined
  }
  'POST /feeds/{name}/refresh': {
    path: { name: string }
    answer: undefined
  }
  'GET /folders': {
    query: { path?: string }
    answer: Folders
  }
  'POST /import': {
    body: Import
    answer: ImportReport
  }
  'GET /keys': {
    answer: Key[]
  }
  'POST /keys': {
    body: NewKey
    answer: CreatedKey
  }
  'DELETE /keys/{id}': {
    path: { id: number }
    answer: undefined
  }
  'GET /log-level': {
    answer: Level
  }
  'PUT /log-level': {
    body: Level
    answer: undefined
  }
  'GET /market': {
    answer: Market
  }
  'PATCH /market': {
    body: MarketPatch
    answer: Market
  }
  'GET /metrics': {
    answer: string
  }
  'GET /news': {
    query: { after?: number }
    answer: News[]
  }
  'GET /node': {
    answer: Node
  }
  'PUT /password': {
    body: Passwords
    answer: undefined
  }
  'POST /queue': {
    body: Move
    answer: undefined
  }
  'GET /session': {
    answer: Session
  }
  'POST /session': {
    body: Login
    answer: undefined
  }
  'DELETE /session': {
    answer: undefined
  }
  'POST /session/key': {
    body: KeyLogin
    answer: undefined
  }
  'PUT /session/spend': {
    body: Confirmation
    answer: undefined
  }
  'DELETE /session/spend': {
    answer: undefined
  }
  'GET /settings': {
    answer: Setting[]
  }
  'PATCH /settings': {
    body: Record<string, string>
    answer: Changed
  }
  'GET /speed': {
    answer: Speed
  }
  'PATCH /speed': {
    body: SpeedPatch
    answer: Speed
  }
  'GET /spending': {
    query: { since?: string; until?: string; torrent?: string; format?: 'json' | 'csv' }
    answer: Report
  }
  'GET /tags': {
    answer: string[]
  }
  'PUT /tags/{name}': {
    path: { name: string }
    answer: undefined
  }
  'DELETE /tags/{name}': {
    path: { name: string }
    answer: undefined
  }
  'GET /torrents': {
    query: { fields?: string; stage?: 'stopped' | 'queued' | 'metadata' | 'checking' | 'downloading' | 'seeding' | 'moving' | 'no_space' | 'missing' | 'failed'; category?: string; tag?: string; sort?: string; limit?: number; after?: string }
    answer: TorrentList
  }
  'POST /torrents': {
    body: NewLinks
    answer: Added
  }
  'GET /torrents/{id}': {
    path: { id: string }
    answer: Torrent
  }
  'PATCH /torrents/{id}': {
    path: { id: string }
    body: TorrentPatch
    answer: undefined
  }
  'DELETE /torrents/{id}': {
    path: { id: string }
    query: { deletes_files?: boolean }
    answer: undefined
  }
  'GET /torrents/{id}/files': {
    path: { id: string }
    query: { offset?: number; limit?: number }
    answer: File[]
  }
  'PATCH /torrents/{id}/files': {
    path: { id: string }
    body: FileEdit[]
    answer: undefined
  }
  'GET /torrents/{id}/files/{index}/stream': {
    path: { id: string; index: number }
    query: { token?: string }
    answer: string
  }
  'GET /torrents/{id}/lane': {
    path: { id: string }
    answer: Lane
  }
  'PUT /torrents/{id}/lane': {
    path: { id: string }
    body: NewLane
    answer: Lane
  }
  'GET /torrents/{id}/peers': {
    path: { id: string }
    answer: Peer[]
  }
  'POST /torrents/{id}/peers': {
    path: { id: string }
    body: NewPeers
    answer: undefined
  }
  'GET /torrents/{id}/pieces': {
    path: { id: string }
    answer: Pieces
  }
  'GET /torrents/{id}/playlist.m3u8': {
    path: { id: string }
    answer: string
  }
  'GET /torrents/{id}/torrent-file': {
    path: { id: string }
    answer: string
  }
  'GET /torrents/{id}/trackers': {
    path: { id: string }
    answer: Tracker[]
  }
  'PUT /torrents/{id}/trackers': {
    path: { id: string }
    body: Tiers
    answer: undefined
  }
  'POST /torrents/{id}/trackers': {
    path: { id: string }
    body: Tiers
    answer: undefined
  }
  'DELETE /torrents/{id}/trackers': {
    path: { id: string }
    query: { url: string }
    answer: undefined
  }
  'GET /torrents/{id}/web-seeds': {
    path: { id: string }
    answer: WebSeed[]
  }
  'POST /torrents/{id}:check': {
    path: { id: string }
    answer: undefined
  }
  'POST /torrents/{id}:reannounce': {
    path: { id: string }
    answer: undefined
  }
  'POST /torrents/{id}:start': {
    path: { id: string }
    answer: undefined
  }
  'POST /torrents/{id}:stop': {
    path: { id: string }
    answer: undefined
  }
  'POST /torrents:check': {
    body: Ids
    answer: undefined
  }
  'POST /torrents:reannounce': {
    body: Ids
    answer: undefined
  }
  'POST /torrents:remove': {
    body: Removal
    answer: undefined
  }
  'POST /torrents:start': {
    body: Start
    answer: undefined
  }
  'POST /torrents:stop': {
    body: Ids
    answer: undefined
  }
  'POST /vault/bond-exits': {
    query: { preview?: boolean }
    body: Agreed
    answer: Plan
  }
  'POST /vault/bond-exits:take': {
    query: { preview?: boolean }
    body: Agreed
    answer: Plan
  }
  'POST /vault/bonds': {
    query: { preview?: boolean }
    body: Fund
    answer: Plan
  }
  'POST /vault/deposits': {
    query: { preview?: boolean }
    body: Fund
    answer: Plan
  }
  'POST /vault/exits': {
    query: { preview?: boolean }
    body: AskBack
    answer: Plan
  }
  'POST /vault/exits:take': {
    query: { preview?: boolean }
    body: Agreed
    answer: Plan
  }
  'POST /vault/keys': {
    body: NewSessionKey
    answer: DrawnKey
  }
  'POST /vault/keys:revoke': {
    query: { preview?: boolean }
    body: Agreed
    answer: Plan
  }
  'POST /vault/withdrawals': {
    query: { preview?: boolean }
    body: Agreed
    answer: Plan
  }
  'GET /wallet': {
    answer: Wallet
  }
  'POST /wallet': {
    body: NewWallet
    answer: Wallet
  }
  'GET /wallet/history': {
    query: { token?: string; before?: number; limit?: number }
    answer: History
  }
  'POST /wallet/network': {
    body: NetworkFile
    answer: Wallet
  }
  'POST /wallet/network:look': {
    body: NetworkFile
    answer: NetworkLook
  }
  'GET /wallet/orders': {
    answer: Orders
  }
  'GET /wallet/orders/{id}': {
    path: { id: string }
    answer: Order
  }
  'POST /wallet/transfers': {
    query: { preview?: boolean }
    body: Transfer
    answer: Plan
  }
  'POST /wallet:draw': {
    body: DrawWords
    answer: DrawnWords
  }
  'POST /wallet:lock': {
    answer: Wallet
  }
  'POST /wallet:unlock': {
    body: Unlocking
    answer: Wallet
  }
}
