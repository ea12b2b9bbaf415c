//! What a person can ask: commands, options, their defaults and their words.

pub(crate) mod care;
pub(crate) mod chain;
pub(crate) mod client;
pub(crate) mod daemon;
pub(crate) mod feed;
pub(crate) mod market;
pub(crate) mod safe;
pub(crate) mod spend;
pub(crate) mod token;
pub(crate) mod trades;
pub(crate) mod vault;
mod wallet;

pub(crate) use wallet::{
    BackupArgs, CoinArg, ExportArgs, HistoryArgs, HoldArgs, NewArgs, PasswordArgs, RestoreArgs,
    UnlockArgs, WalletArgs, WalletCommand,
};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use piecework_settings::{ByteRate, ByteSize};
use std::net::IpAddr;
use std::path::PathBuf;

/// Version, commit and features, as `--version` prints them.
pub(crate) const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("PIECEWORK_COMMIT"),
    "; ",
    env!("PIECEWORK_FEATURES"),
    ")"
);

/// A BitTorrent node: downloads and seeds torrents.
#[derive(Debug, Parser)]
#[command(name = "piecework", version = VERSION, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Print JSON objects, one a line, instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Folder for resume data [default: $XDG_STATE_HOME/piecework].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Say more on stderr; twice for what each peer does.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a daemon: many torrents, for weeks, with an API for the commands below, for programs and for
    /// browsers.
    Up(daemon::UpArgs),
    /// Give a daemon torrents.
    Add(client::AddArgs),
    /// Show the torrents of a daemon.
    List(client::ListArgs),
    /// Show all about a torrent of a daemon.
    Info(client::OneArgs),
    /// Show the files of a torrent of a daemon.
    Files(client::OneArgs),
    /// Show the connected peers of a torrent of a daemon.
    Peers(client::OneArgs),
    /// Show the trackers of a torrent of a daemon. The table has hosts alone: what follows may be a passkey.
    Trackers(client::OneArgs),
    /// Stop torrents of a daemon until somebody resumes them.
    Pause(client::SomeArgs),
    /// Let torrents of a daemon take part again.
    Resume(client::ResumeArgs),
    /// Take torrents from a daemon.
    Remove(client::RemoveArgs),
    /// Limit how fast a daemon, or a torrent of it, may be.
    Limit(client::LimitArgs),
    /// Move the files of a torrent of a daemon.
    Move(client::MoveArgs),
    /// Call a torrent of a daemon something else.
    Rename(client::RenameArgs),
    /// Have a daemon check the data of torrents.
    Verify(client::SomeArgs),
    /// Have a daemon ask the trackers of torrents for peers.
    Reannounce(client::SomeArgs),
    /// Categories of a daemon.
    #[command(subcommand)]
    Category(client::CategoryCommand),
    /// Tags of a daemon.
    #[command(subcommand)]
    Tag(client::TagCommand),
    /// Give torrents of a daemon another place in the queue.
    #[command(subcommand)]
    Queue(client::QueueCommand),
    /// Sell a part of a daemon's uplink.
    #[command(subcommand)]
    Sell(market::SellCommand),
    /// Let a daemon pay for faster lanes.
    #[command(subcommand)]
    Buy(market::BuyCommand),
    /// Tell or choose how fast a torrent of a daemon is wanted, and what that may cost.
    Lane(market::LaneOfArgs),
    /// Show what happens in a daemon, until a signal ends it.
    Events(client::ClientArgs),
    /// Show or change how much a running daemon tells in its log, until it ends.
    LogLevel(client::LogLevelArgs),
    /// Set another password for a daemon that does not run.
    Password(daemon::PasswordArgs),
    /// Feeds of a running daemon (RSS, Atom), and rules that choose from them.
    #[command(subcommand)]
    Feed(feed::FeedCommand),
    /// Have the daemon run whenever you log in.
    #[command(subcommand)]
    Service(care::ServiceCommand),
    /// Look for what commonly goes wrong; the report may be shown to strangers. Exit status 1 if
    /// something is.
    Doctor(care::DoctorArgs),
    /// Check, show and change the settings of a daemon.
    #[command(subcommand)]
    Config(daemon::ConfigCommand),
    /// Have a daemon take over the torrents of another client, with their categories, limits and totals.
    Import(safe::ImportArgs),
    /// Put all of a daemon that has ended, but the payload, into one encrypted file.
    Backup(safe::SafeArgs),
    /// Bring back what a backup holds, to folders that have nothing yet.
    Restore(safe::SafeArgs),
    /// Download a torrent.
    Get(GetArgs),
    /// Serve torrents whose data is here.
    Seed(SeedArgs),
    /// Make a torrent file from a file or folder.
    Create(CreateArgs),
    /// Hash existing data; exit status 0 if it is complete, 1 if not.
    Check(CheckArgs),
    /// Show what a torrent file or magnet link contains.
    Show(ShowArgs),
    /// Fetch the torrent file of a magnet link from peers.
    Metadata(MetadataArgs),
    /// Tell whether peers can connect from outside, why not, and what helps. Asks this machine, its daemon if
    /// one runs, and its gateway, nobody else.
    Net(NetReportArgs),
    /// Download what a publisher points to in the DHT, and each newer version of it (BEP 46).
    Follow(FollowArgs),
    /// Run a tracker for a private swarm, over HTTP and UDP.
    Tracker(TrackerArgs),
    /// Keep the key of an account: make it, bring it back, show, export or back it up.
    Wallet(WalletArgs),
    /// A chain of one's own, or the network of somebody else.
    #[command(subcommand)]
    Chain(chain::ChainCommand),
    /// Tokens of the network: make, list, send and count them.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Money put aside for cheques, and cheques.
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Show what was earned: with what buyers have paid for bytes, and what of it the vault has paid out.
    Earnings(trades::ReportArgs),
    /// Show what was spent for bytes, and the time that it saved.
    Spending(trades::ReportArgs),
    /// Show paid lanes on this machine: a chain, two sellers, a slow, a medium and a fast download, and a
    /// plain client, as real processes. Ends by itself.
    Demo(DemoArgs),
    /// Print shell completions.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Write man pages into a folder.
    Man {
        /// The folder, created if absent.
        dir: PathBuf,
    },
}

/// `piecework demo`
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// What each buyer may spend, whole tokens.
    #[arg(long, value_name = "AMOUNT", default_value = "5")]
    pub(crate) budget: String,
    /// Kill one seller midway, as a crash would.
    #[arg(long)]
    pub(crate) kill_seller: bool,
    /// Keep everything in this folder, which has to be empty or not there: chain, wallets, ledgers, payload
    /// and logs.
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

/// Where peers reach us.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlaceArgs {
    /// Port for incoming connections; 0 takes any [default: 6881 to 6889, then any].
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
    /// Send and receive by this network interface only: peers, trackers, everything but the look-up of
    /// names. Nothing is sent while it is gone.
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// Send and receive by this address of ours only, and by the interface that has it.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Option<IpAddr>,
}

/// `piecework net`
#[derive(Args, Debug)]
pub(crate) struct NetReportArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) client: client::ClientArgs,
}

/// How to reach peers.
#[derive(Args, Clone, Debug)]
pub(crate) struct NetArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Do not ask the gateway of the home network to let peers in.
    #[arg(long, env = "PIECEWORK_NO_PORT_MAPPING", hide_env = true)]
    pub(crate) no_port_mapping: bool,
    /// A peer to connect to, besides those that trackers name. May be repeated.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) peer: Vec<String>,
    /// Do without the DHT (BEP 5): peers come from trackers, from other peers and from --peer.
    #[arg(long, env = "PIECEWORK_NO_DHT", hide_env = true)]
    pub(crate) no_dht: bool,
    /// Where to enter the DHT, instead of the usual routers. May be repeated. With one in a local network
    /// it is a DHT of that network, whose peers may be local too.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "no_dht")]
    pub(crate) dht_router: Vec<String>,
    /// Talk to no peer on this list: eMule ipfilter.dat, P2P text, or networks (CIDR); may be packed
    /// with gzip. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) ip_filter: Vec<PathBuf>,
    /// Ask trackers at the addresses that the torrent names, whatever their hosts say in the DNS (BEP 34).
    #[arg(long)]
    pub(crate) no_tracker_dns: bool,
    /// Tell peers nothing of other peers, and take no addresses from them (BEP 11).
    #[arg(long)]
    pub(crate) no_exchange: bool,
    /// Neither announce torrents to the local network nor listen there (BEP 14).
    #[arg(long)]
    pub(crate) no_local_discovery: bool,
    /// Let peers send us to addresses of local networks and to ports below 1024.
    #[arg(long)]
    pub(crate) trust_peers: bool,
    /// Download at most so many bytes a second: 500k, 2M, 1Mi.
    #[arg(long, value_name = "R")]
    pub(crate) limit_down: Option<ByteRate>,
    /// Upload at most so many bytes a second.
    #[arg(long, value_name = "R")]
    pub(crate) limit_up: Option<ByteRate>,
    /// Encrypted connections: tried first, asked of everybody, or none.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = EncryptionArg::Prefer)]
    pub(crate) encryption: EncryptionArg,
}

/// `--encryption`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum EncryptionArg {
    /// Encrypted handshakes first, plaintext for peers that know no other; payload as the peer wants it
    Prefer,
    /// Handshakes and payload encrypted; peers that cannot are refused
    Require,
    /// Plaintext only
    Off,
}

/// `piecework get`
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// A torrent file, a magnet link, or the http(s) address of a torrent file.
    pub(crate) source: String,
    /// Parent folder of the download.
    #[arg(long, value_name = "D", default_value = ".")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) net: NetArgs,
    /// Also fetch from this HTTP server (BEP 19), in private networks too. May be repeated.
    #[arg(long, value_name = "URL")]
    pub(crate) web_seed: Vec<String>,
    /// Fetch only files whose path matches: '*.mkv', 'subs/**'. May be repeated.
    #[arg(long, value_name = "GLOB")]
    pub(crate) select: Vec<String>,
    /// Priority of matching files, 0 (skip) to 7 (first); the last match counts. May be repeated.
    #[arg(long, value_name = "GLOB=0..7")]
    pub(crate) priority: Vec<PriorityRule>,
    /// Fetch pieces in order.
    #[arg(long)]
    pub(crate) sequential: bool,
    #[command(flatten)]
    pub(crate) lane: market::LaneArgs,
    /// Go on seeding when the download is complete.
    #[arg(long)]
    pub(crate) stay: bool,
    /// Cut existing files that are longer than the torrent says.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Give up after so many seconds without progress [default: never; 60 for a magnet link with
    /// neither tracker nor peer nor DHT].
    #[arg(long, value_name = "S")]
    pub(crate) give_up: Option<u64>,
}

/// `piecework seed`
#[derive(Args, Debug)]
pub(crate) struct SeedArgs {
    /// Torrent files or magnet links.
    pub(crate) torrents: Vec<String>,
    /// Serve every .torrent file of this folder as well.
    #[arg(long, value_name = "T", required_unless_present = "torrents")]
    pub(crate) torrents_dir: Option<PathBuf>,
    /// Parent folder of the data.
    #[arg(long, value_name = "D")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) net: NetArgs,
    /// Take files with the right size as complete, without hashing them.
    #[arg(long)]
    pub(crate) trust: bool,
    /// Give each piece to one peer first, so that the first copy leaves soon (BEP 16).
    #[arg(long)]
    pub(crate) super_seed: bool,
}

/// `piecework create`
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// A file or folder.
    pub(crate) path: PathBuf,
    /// Where to write the torrent file [default: NAME.torrent in the current folder].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Version of the torrent: v1 every client knows, v2 hashes each file, hybrid is both.
    #[arg(long, value_enum, default_value_t = FormatArg::Hybrid)]
    pub(crate) format: FormatArg,
    /// Bytes of a piece, a power of two of at least 16Ki [default: by size].
    #[arg(long, value_name = "S")]
    pub(crate) piece_length: Option<ByteSize>,
    /// A tracker. May be repeated; each one is a tier of its own.
    #[arg(long, value_name = "URL")]
    pub(crate) tracker: Vec<String>,
    /// A web server that holds the same files (BEP 19). May be repeated.
    #[arg(long, value_name = "URL")]
    pub(crate) web_seed: Vec<String>,
    /// Peers may come from the trackers only (BEP 27).
    #[arg(long)]
    pub(crate) private: bool,
    /// A note for people.
    #[arg(long, value_name = "T")]
    pub(crate) comment: Option<String>,
}

/// `--format`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatArg {
    /// BEP 3
    V1,
    /// BEP 52
    V2,
    /// Both in one file
    Hybrid,
}

/// `piecework check`
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The torrent file.
    pub(crate) torrent: String,
    /// Parent folder of the data.
    #[arg(long, value_name = "D")]
    pub(crate) dir: PathBuf,
}

/// `piecework show`
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// A torrent file, a magnet link, or the http(s) address of a torrent file.
    pub(crate) source: String,
    /// Ask each tracker for its seeds, leechers and downloads. Without it no tracker is contacted.
    #[arg(long)]
    pub(crate) scrape: bool,
}

/// `piecework metadata`
#[derive(Args, Debug)]
pub(crate) struct MetadataArgs {
    /// The magnet link.
    pub(crate) magnet: String,
    #[command(flatten)]
    pub(crate) net: NetArgs,
    /// Where to write the torrent file [default: NAME.torrent in the current folder].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Give up after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub(crate) give_up: u64,
}

/// `piecework follow`
#[derive(Args, Debug)]
pub(crate) struct FollowArgs {
    /// A link magnet:?xs=urn:btpk:KEY&s=SALT, or the publisher's key as 64 hex digits.
    pub(crate) publisher: String,
    /// Parent folder of the downloads.
    #[arg(long, value_name = "D", default_value = ".")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) net: NetArgs,
    /// End when the newest version is complete, instead of seeding it and waiting for the next.
    #[arg(long)]
    pub(crate) once: bool,
    /// Seconds between two looks for a newer version, 30 at least.
    #[arg(long, value_name = "S", default_value_t = 900, value_parser = clap::value_parser!(u64).range(30..))]
    pub(crate) every: u64,
    /// With --once, give up after so many seconds without progress.
    #[arg(long, value_name = "S", default_value_t = 300)]
    pub(crate) give_up: u64,
}

/// `piecework tracker`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("whom").required(true).multiple(true))]
pub(crate) struct TrackerArgs {
    /// Port of both protocols; 0 takes any.
    #[arg(long, value_name = "P", default_value_t = 6969)]
    pub(crate) port: u16,
    /// Listen at this address only [default: at every address of this machine].
    #[arg(long, value_name = "ADDR")]
    pub(crate) bind: Option<IpAddr>,
    /// Serve the torrents whose .torrent files are in this folder.
    #[arg(long, value_name = "DIR", group = "whom")]
    pub(crate) torrents_dir: Option<PathBuf>,
    /// Serve the torrents whose info-hashes stand in this file, one a line.
    #[arg(long, value_name = "FILE", group = "whom")]
    pub(crate) allow: Option<PathBuf>,
    /// Serve any torrent that somebody announces.
    #[arg(long, group = "whom", conflicts_with_all = ["torrents_dir", "allow"])]
    pub(crate) open: bool,
    /// Seconds between two announces of a client, from 10 to 86400.
    #[arg(long, value_name = "S", default_value_t = 1800,
          value_parser = clap::value_parser!(u64).range(10..=86_400))]
    pub(crate) interval: u64,
}

/// `GLOB=0..7`
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PriorityRule {
    pub(crate) glob: String,
    pub(crate) priority: u8,
}

impl std::str::FromStr for PriorityRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected GLOB=N with N from 0 to 7, got {text:?}");
        let (glob, number) = text.rsplit_once('=').ok_or_else(expected)?;
        match number.parse() {
            Ok(priority @ 0..=7) => Ok(Self { glob: glob.to_owned(), priority }),
            Ok(_) | Err(_) => Err(expected()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_priority_rule_splits_at_its_last_equals_sign() {
        let rule = "a=b*=7".parse();
        assert_eq!(rule, Ok(PriorityRule { glob: "a=b*".into(), priority: 7 }));
        assert!("x=8".parse::<PriorityRule>().is_err());
        assert!("x".parse::<PriorityRule>().is_err());
    }
}
