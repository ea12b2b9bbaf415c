//! The table of all settings. A line that has no effect has no place here.

use crate::bytes::{ByteRate, ByteSize};
use crate::value::{
    Clock, Decimal, Encryption, Folder, HostPort, LogFormat, LogLevel, Port, Ratio, Raw, Value,
    Weekday,
};
use piecework_catalog::ShareAction;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

/// What there is to know of a setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name, such as `queue.downloads_max`.
    pub key: &'static str,
    /// What it does, for people; each line begins with a space.
    pub(crate) doc: &'static [&'static str],
    /// Its value where nothing else is said.
    pub default: &'static str,
    /// The least and the greatest number.
    pub bounds: Option<RangeInclusive<u64>>,
    /// A change counts from the next start.
    pub needs_restart: bool,
    pub(crate) form: fn() -> String,
    pub(crate) read: Read,
    pub(crate) write: fn(&Values) -> (Raw, bool),
}

/// Puts a value into its place if it makes sense.
type Read = fn(&mut Values, &Raw, Option<&RangeInclusive<u64>>) -> Result<(), Wrong>;

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wrong {
    Form,
    Bounds,
}

impl Setting {
    /// What it does, in one paragraph.
    pub fn doc(&self) -> String {
        self.doc.concat().trim().into()
    }

    /// What a value looks like.
    pub fn form(&self) -> String {
        let form = (self.form)();
        match &self.bounds {
            Some(bounds) => {
                let bounds = format!("{} to {}", bounds.start(), bounds.end());
                form.replacen("a whole number", &format!("a whole number from {bounds}"), 1)
            }
            None => form,
        }
    }

    /// The variable of the environment that sets it.
    pub fn variable(&self) -> String {
        format!("PIECEWORK_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The part of the key before the point.
    pub fn section(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(section, _)| section)
    }

    /// The setting of this key.
    pub fn of_key(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $type:ty = $default:literal $(, [$bounds:expr])? $(, $restart:ident)?;
            )+
        }
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Section {
                $($(#[doc = $doc])+ pub $name: $type,)+
            }
        )+

        /// The typed values of all settings.
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct Values {
            $(pub(crate) $section: $Section,)+
        }

        impl Default for Values {
            fn default() -> Self {
                Self {
                    $($section: $Section {
                        $($name: Value::read(&Raw::One($default.into()))
                            .expect("the default of each setting is of its form, as a test shows"),)+
                    },)+
                }
            }
        }

        /// Sections with what they are about.
        pub(crate) const SECTIONS: &[(&str, &[&str])] =
            &[$((stringify!($section), &[$($about),+])),+];

        /// All settings, in the order of the reference page.
        pub const SETTINGS: &[Setting] = &[
            $($(
                Setting {
                    key: concat!(stringify!($section), ".", stringify!($name)),
                    doc: &[$($doc),+],
                    default: $default,
                    bounds: bounds!($($bounds)?),
                    needs_restart: restart!($($restart)?),
                    form: <$type as Value>::form,
                    read: |values, raw, bounds| {
                        let value = <$type as Value>::read(raw).ok_or(Wrong::Form)?;
                        if bounds.is_some_and(|bounds| !value.is_within(bounds)) {
                            return Err(Wrong::Bounds);
                        }
                        values.$section.$name = value;
                        Ok(())
                    },
                    write: |values| {
                        let value = &values.$section.$name;
                        (value.write(), value.is_bare())
                    },
                },
            )+)+
        ];
    };
}

macro_rules! bounds {
    () => {
        None
    };
    ($bounds:expr) => {
        Some($bounds)
    };
}

macro_rules! restart {
    () => {
        false
    };
    (restart) => {
        true
    };
}

settings! {
    /// How many torrents take part at once. Those that are forced neither wait nor count.
    queue: Queue {
        /// There is a queue: without one, all torrents take part that are not stopped.
        on: bool = "true";
        /// Torrents that download at once.
        downloads_max: Option<u32> = "5", [1..=100_000];
        /// Complete torrents that seed at once.
        seeds_max: Option<u32> = "none", [1..=100_000];
        /// Torrents that download or seed at once.
        active_max: Option<u32> = "none", [1..=100_000];
        /// A torrent slower than this for a minute does not count.
        slow_below: Option<ByteRate> = "none";
    }
    /// Where payload lies.
    torrents: Torrents {
        /// The folder of complete torrents that say nothing else.
        save_path: Folder = "/var/lib/piecework/downloads";
        /// The folder that torrents lie in until they are complete.
        incomplete_path: Option<Folder> = "none";
        /// New torrents follow the folders of their category.
        automatic: bool = "true";
        /// New torrents wait until somebody starts them, unless whoever adds one says otherwise.
        add_stopped: bool = "false";
        /// Payload may lie in these folders and below them, besides the two above. Paths outside are
        /// refused.
        roots: Vec<Folder> = "";
    }
    /// What a complete torrent without limits of its own gives back before `share.action` happens to it.
    share: Share {
        /// Sent over received.
        ratio: Option<Ratio> = "none";
        /// Minutes of seeding.
        seeding_minutes: Option<u32> = "none", [1..=52_560_000];
        /// Minutes in which nobody wanted anything.
        inactive_minutes: Option<u32> = "none", [1..=52_560_000];
        /// What happens then: the torrent is stopped, taken out, taken out with its files, or goes on as a
        /// super seed.
        action: ShareAction = "stop";
    }
    /// How fast the node may be, bytes a second.
    speed: Speed {
        /// Receive at most so much.
        down: Option<ByteRate> = "none";
        /// Send at most so much.
        up: Option<ByteRate> = "none";
        /// Receive at most so much while the alternative speeds hold.
        alternative_down: Option<ByteRate> = "10Ki";
        /// Send at most so much while the alternative speeds hold.
        alternative_up: Option<ByteRate> = "10Ki";
    }
    /// When the alternative speeds hold by themselves.
    schedule: Schedule {
        /// They do.
        on: bool = "false";
        /// When they begin, by the clock of this machine.
        from: Clock = "08:00";
        /// When they end; before or at the beginning means on the next day.
        to: Clock = "20:00";
        /// The days they begin on.
        days: Vec<Weekday> = "mon,tue,wed,thu,fri,sat,sun";
    }
    /// What is kept free.
    disk: Disk {
        /// No torrent downloads on while its drive has less free space than this; 0 for no guard.
        free_space_min: ByteSize = "512Mi";
    }
    /// A folder whose torrent files are added.
    watch: Watch {
        /// The folder. What was added is renamed to end in `.added`, what could not be read in `.bad`.
        folder: Option<Folder> = "none";
    }
    /// How peers are reached.
    net: Net {
        /// Port for incoming connections; `auto` is 6881 to 6889, then any.
        port: Port = "auto", restart;
        /// Send and receive by this network interface only. Nothing is sent while it is gone.
        interface: Option<String> = "none", restart;
        /// Send and receive by this address of ours only, and by the interface that has it.
        bind: Option<IpAddr> = "none", restart;
        /// Ask the gateway of the home network to let peers in.
        port_mapping: bool = "true", restart;
        /// Encrypted connections: tried first, asked of everybody, or none.
        encryption: Encryption = "prefer", restart;
        /// Connected peers of all torrents together.
        peers_max: u32 = "2000", [1..=100_000], restart;
        /// Tell peers of other peers, and take addresses from them (BEP 11).
        exchange: bool = "true", restart;
        /// Announce torrents to the local network and listen there (BEP 14).
        local_discovery: bool = "true", restart;
        /// Ask the hosts of trackers in the DNS which trackers they run (BEP 34).
        tracker_dns: bool = "true", restart;
        /// Let peers send us to addresses of local networks and to ports below 1024.
        trust_peers: bool = "false", restart;
        /// Talk to no peer on these lists: eMule ipfilter.dat, P2P text, or networks (CIDR); may be packed
        /// with gzip.
        ip_filters: Vec<Folder> = "", restart;
    }
    /// The distributed hash table (BEP 5).
    dht: Dht {
        /// Take part in it.
        on: bool = "true", restart;
        /// Where to enter it, instead of the usual routers. With one in a local network it is a DHT of that
        /// network.
        routers: Vec<HostPort> = "", restart;
    }
    /// Paid lanes. Both sides are off until they are turned on, and need a network (`piecework chain`) and a
    /// wallet.
    pay: Pay {
        /// Buy faster lanes for torrents that ask for one.
        buys: bool = "false";
        /// Spend at most so much a day (UTC), for all torrents together.
        day_max: Option<Decimal> = "none";
        /// Sell a part of the uplink; it needs a limit of what is sent (`speed.up`).
        sells: bool = "false";
        /// Ask at least so much for a GiB.
        price_floor: Decimal = "0.01";
        /// Hundredths of the uplink that are for those who do not pay.
        free_percent: u32 = "25", [10..=100];
        /// Whole tokens that a coin is worth, by which the fees of cashing are reckoned against what is
        /// earned. With none they count as nothing, and small sums are cashed too.
        coin_price: Option<Decimal> = "none", restart;
        /// The token that is paid in, by its short name or address; none is the network's first.
        token: Option<String> = "none", restart;
    }
    /// The door for programs and browsers.
    api: Api {
        /// Where it listens. Sockets that systemd hands over are used instead.
        listen: Vec<SocketAddr> = "127.0.0.1:7411", restart;
        /// The path that a reverse proxy shows it under, such as `/torrents`.
        base_path: String = "", restart;
        /// Host names it answers to, besides addresses and `localhost`; `*` for any.
        hosts: Vec<String> = "", restart;
        /// Reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Host` are believed.
        trusted_proxies: Vec<IpAddr> = "", restart;
        /// The web app that browsers get, in place of the one in the program: a folder with an `index.html`.
        /// What is in it is shown to everybody who reaches the daemon.
        web_root: Option<Folder> = "none", restart;
    }
    /// What is told on stderr.
    log: Log {
        /// How serious a line is at least.
        level: LogLevel = "info";
        /// Lines for people, or JSON.
        format: LogFormat = "human", restart;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_default_is_of_its_form_and_within_its_bounds() {
        for setting in SETTINGS {
            let raw = Raw::One(setting.default.into());
            let read = (setting.read)(&mut Values::default(), &raw, setting.bounds.as_ref());
            assert_eq!(read, Ok(()), "{}", setting.key);
            let (written, _) = (setting.write)(&Values::default());
            assert_eq!(written.to_string(), setting.default, "{}", setting.key);
        }
    }

    #[test]
    fn no_two_settings_have_the_same_variable() {
        let variables: std::collections::BTreeSet<_> =
            SETTINGS.iter().map(Setting::variable).collect();
        assert_eq!(variables.len(), SETTINGS.len());
    }
}
