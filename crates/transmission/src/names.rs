//! Names of the older form and of JSON-RPC: the same words, dressed otherwise.

use serde_json::{Map, Value};

/// How the older form writes the names of one answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dress {
    /// `snake_case`: JSON-RPC.
    Snake,
    /// `camelCase`: torrents, and figures of the session.
    Camel,
    /// `kebab-case`: settings of the session.
    Kebab,
}

/// Names that the older form does not write as their neighbours.
const ODD: [(&str, &str); 14] = [
    ("seed_ratio_limit", "seedRatioLimit"),
    ("seed_ratio_limited", "seedRatioLimited"),
    ("peer_limit", "peer-limit"),
    ("file_count", "file-count"),
    ("primary_mime_type", "primary-mime-type"),
    ("cumulative_stats", "cumulative-stats"),
    ("current_stats", "current-stats"),
    ("torrent_added", "torrent-added"),
    ("torrent_duplicate", "torrent-duplicate"),
    ("size_bytes", "size-bytes"),
    ("total_size_of_drive", "total_size"),
    ("port_is_open", "port-is-open"),
    ("is_utp", "isUTP"),
    ("cache_size_mb", "cache-size-mb"),
];

/// Any name as JSON-RPC writes it.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for char in name.chars() {
        match char {
            '-' => snake.push('_'),
            char if char.is_ascii_uppercase() => {
                snake.push('_');
                snake.push(char.to_ascii_lowercase());
            }
            char => snake.push(char),
        }
    }
    snake
}

/// A name of JSON-RPC in another dress.
pub(crate) fn dressed(name: &str, dress: Dress) -> String {
    if dress == Dress::Snake {
        // The size of a drive shares its name with that of a torrent, but not its dress in the older form.
        return if name == "total_size_of_drive" { "total_size" } else { name }.to_owned();
    }
    if let Some((_, odd)) = ODD.iter().find(|(odd, _)| *odd == name) {
        return (*odd).to_owned();
    }
    if dress == Dress::Kebab {
        return name.replace('_', "-");
    }
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// All names of a value in another dress.
pub(crate) fn dress(value: Value, how: Dress) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .map(|(name, value)| (dressed(&name, how), dress(value, how)))
                .collect(),
        ),
        Value::Array(list) => {
            Value::Array(list.into_iter().map(|value| dress(value, how)).collect())
        }
        other => other,
    }
}

/// The parameters of a call with the names of JSON-RPC. What is inside of them stays as it is.
pub(crate) fn parameters(object: Map<String, Value>) -> Map<String, Value> {
    object.into_iter().map(|(name, value)| (snake(&name), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_from_one_form_to_the_other_and_back() {
        for (old, new, dress) in [
            ("hashString", "hash_string", Dress::Camel),
            ("torrent-get", "torrent_get", Dress::Kebab),
            ("peersSendingToUs", "peers_sending_to_us", Dress::Camel),
            ("speed-limit-down-enabled", "speed_limit_down_enabled", Dress::Kebab),
            ("seedRatioLimit", "seed_ratio_limit", Dress::Kebab),
            ("file-count", "file_count", Dress::Camel),
        ] {
            assert_eq!(snake(old), new);
            assert_eq!(dressed(new, dress), old);
        }
    }
}
