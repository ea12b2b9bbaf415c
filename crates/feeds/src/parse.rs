//! Items of a feed: title, link and identity.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Bytes of a feed; what is longer is refused.
pub const FEED_BYTES_MAX: usize = 8 << 20;

/// Items of a feed; later ones are left out, as feeds begin with the newest.
pub const ITEMS_MAX: usize = 2_000;

/// Characters of a title or a link; what is longer is cut, and a link cut is no link.
const TEXT_CHARS_MAX: usize = 4_096;

/// Elements inside each other.
const DEPTH_MAX: usize = 64;

/// Something a feed offers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Item {
    /// What people see.
    pub title: String,
    /// A magnet link or the address of a torrent file.
    pub link: String,
    /// What the feed knows it by; the link where it has no other name.
    pub id: String,
}

/// Why a feed cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseError {
    /// Longer than [`FEED_BYTES_MAX`].
    #[error("the feed has {0} bytes, more than {FEED_BYTES_MAX}: it is no feed of links")]
    Long(usize),
    /// Not XML.
    #[error(
        "the server's answer is no XML at byte {at}: {cause}; does the address lead to a feed?"
    )]
    Xml {
        /// Where.
        at: u64,
        /// What the parser says.
        cause: String,
    },
    /// XML of another kind.
    #[error(
        "the server's answer begins with <{0}>, where a feed begins with <rss>, <feed> or <rdf:RDF>"
    )]
    NoFeed(String),
}

/// What is known of the item that is being read.
#[derive(Default)]
struct Draft {
    title: String,
    link: String,
    enclosure: String,
    magnet: String,
    id: String,
}

impl Draft {
    /// An enclosure is what is offered; a link is often a page about it.
    fn finish(self) -> Option<Item> {
        let links = [self.magnet, self.enclosure, self.link];
        let link = links.into_iter().find(|link| is_link(link))?;
        let id = if self.id.is_empty() { link.clone() } else { self.id };
        Some(Item { title: self.title.trim().to_owned(), link, id })
    }
}

/// The items of a feed, in its order. Those without a link are left out.
///
/// # Errors
/// When it is too long, no XML or no feed.
pub fn parse(bytes: &[u8]) -> Result<Vec<Item>, ParseError> {
    if bytes.len() > FEED_BYTES_MAX {
        return Err(ParseError::Long(bytes.len()));
    }
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}').trim_start());
    let (mut items, mut path) = (Vec::new(), Vec::<String>::new());
    let mut draft: Option<Draft> = None;
    loop {
        let event = reader.read_event().map_err(|error| ParseError::Xml {
            at: reader.error_position(),
            cause: error.to_string(),
        })?;
        match event {
            Event::Start(tag) => {
                let name = local_name(&tag);
                if path.is_empty() && !matches!(name.as_str(), "rss" | "feed" | "RDF") {
                    return Err(ParseError::NoFeed(name));
                }
                if path.len() >= DEPTH_MAX {
                    let cause = format!("more than {DEPTH_MAX} elements inside each other");
                    return Err(ParseError::Xml { at: reader.buffer_position(), cause });
                }
                open(&name, &tag, &mut draft);
                path.push(name);
            }
            Event::Empty(tag) => open(&local_name(&tag), &tag, &mut draft),
            Event::End(_) => {
                let name = path.pop().unwrap_or_default();
                if is_item(&name)
                    && let Some(item) = draft.take().and_then(Draft::finish)
                {
                    items.push(item);
                    if items.len() >= ITEMS_MAX {
                        return Ok(items);
                    }
                }
            }
            Event::Text(text) => take(&mut draft, &path, &text),
            Event::CData(text) => take(&mut draft, &path, &text),
            Event::GeneralRef(name) => {
                take(&mut draft, &path, &entity(&name));
            }
            Event::Eof if path.is_empty() => return Ok(items),
            Event::Eof => {
                let cause = format!("it ends inside <{}>", path.join("><"));
                return Err(ParseError::Xml { at: reader.buffer_position(), cause });
            }
            _ => {}
        }
    }
}

fn is_item(name: &str) -> bool {
    matches!(name, "item" | "entry")
}

fn is_link(link: &str) -> bool {
    let is_cut = link.chars().count() >= TEXT_CHARS_MAX;
    !is_cut && ["magnet:?", "http://", "https://"].iter().any(|start| link.starts_with(start))
}

/// The name without its namespace.
fn local_name(tag: &BytesStart<'_>) -> String {
    tag.local_name().as_ref().to_owned()
}

/// An element begins: an item, or what its attributes say of one.
fn open(name: &str, tag: &BytesStart<'_>, draft: &mut Option<Draft>) {
    if is_item(name) {
        *draft = Some(Draft::default());
        return;
    }
    let Some(draft) = draft else { return };
    let attribute = |wanted: &str| {
        let found = tag.attributes().flatten().find(|it| it.key.local_name().as_ref() == wanted)?;
        let value =
            quick_xml::escape::unescape(&found.value).unwrap_or_else(|_| found.value.clone());
        Some(value.trim().chars().take(TEXT_CHARS_MAX).collect::<String>())
    };
    match name {
        "enclosure" => {
            if let Some(url) = attribute("url") {
                draft.enclosure = url;
            }
        }
        "link" => {
            let Some(href) = attribute("href") else { return };
            match attribute("rel").as_deref() {
                Some("enclosure") => draft.enclosure = href,
                None | Some("alternate") if draft.link.is_empty() => draft.link = href,
                _ => {}
            }
        }
        _ => {}
    }
}

/// Text inside the innermost element.
fn take(draft: &mut Option<Draft>, path: &[String], text: &str) {
    let (Some(draft), [.., parent, name]) = (draft, path) else { return };
    // Feeds have an element of their own for it, some of them deeper than the others.
    let is_magnet = name.starts_with("magnet");
    if !is_item(parent) && !is_magnet {
        return;
    }
    let field = match name.as_str() {
        "title" => &mut draft.title,
        "link" => &mut draft.link,
        "guid" | "id" => &mut draft.id,
        _ if is_magnet => &mut draft.magnet,
        _ => return,
    };
    let room = TEXT_CHARS_MAX.saturating_sub(field.chars().count());
    field.extend(text.chars().take(room));
    if name != "title" {
        *field = field.trim().to_owned();
    }
}

/// What a reference such as `amp` or `#233` stands for; nothing where it is unknown.
fn entity(name: &str) -> String {
    if let Some(known) = quick_xml::escape::resolve_predefined_entity(name) {
        return known.to_owned();
    }
    let code = match name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => name.strip_prefix('#').and_then(|decimal| decimal.parse().ok()),
    };
    let letter = code.and_then(char::from_u32).filter(|letter| !letter.is_control());
    letter.map(String::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn one(xml: &str) -> Item {
        let items = parse(xml.as_bytes()).unwrap();
        assert_eq!(items.len(), 1, "{items:?}");
        items[0].clone()
    }

    #[test]
    fn an_rss_item_gives_its_enclosure_before_its_page() {
        let item = one("<?xml version='1.0'?><rss version='2.0'><channel><title>All</title><item>\
             <title>A &amp; B &#233;</title><link>https://t.example/page/1</link><guid>g1</guid>\
             <enclosure url='https://t.example/1.torrent?a=1&amp;b=2' type='application/x-bittorrent'/>\
             </item></channel></rss>");
        assert_eq!(item.title, "A & B é");
        assert_eq!(item.link, "https://t.example/1.torrent?a=1&b=2");
        assert_eq!(item.id, "g1");
    }

    #[test]
    fn a_magnet_of_the_torrent_namespace_comes_before_all_else() {
        let ending = "URI";
        let element = format!("torrent:magnet{ending}");
        let item = one(&format!(
            "<rss xmlns:torrent='http://xmlns.ezrss.it/0.1/'><channel><item><title><![CDATA[A <b>]]>\
             </title><link>https://t.example/1</link><{element}>magnet:?xt=urn:btih:aa&amp;dn=b\
             </{element}></item></channel></rss>",
        ));
        let link = "magnet:?xt=urn:btih:aa&dn=b";
        assert_eq!((item.title.as_str(), item.link.as_str()), ("A <b>", link));
        assert_eq!(item.id, item.link);
    }

    #[test]
    fn an_atom_entry_gives_its_enclosure() {
        let item = one(
            "<feed xmlns='http://www.w3.org/2005/Atom'><id>feed</id><entry><id>urn:1</id><title>A</title>\
             <link href='https://t.example/page'/><link rel='enclosure' href='https://t.example/1.torrent'/>\
             </entry></feed>",
        );
        assert_eq!(
            (item.link.as_str(), item.id.as_str()),
            ("https://t.example/1.torrent", "urn:1")
        );
    }

    #[test]
    fn what_is_no_feed_is_refused_with_what_it_is() {
        assert_eq!(parse(b"<html><body/></html>"), Err(ParseError::NoFeed("html".into())));
        assert!(matches!(parse(b"<rss><channel><item>"), Err(ParseError::Xml { .. })));
        assert!(matches!(parse(b"<rss></channel></rss>"), Err(ParseError::Xml { .. })));
        assert!(matches!(parse(&vec![b' '; FEED_BYTES_MAX + 1]), Err(ParseError::Long(_))));
    }

    #[test]
    fn entities_of_a_document_type_are_not_expanded() {
        let bomb = "<!DOCTYPE rss [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><rss><channel><item>\
                    <title>x&b;y</title><link>http://t.example/1</link></item></channel></rss>";
        assert_eq!(one(bomb).title, "xy");
    }

    #[test]
    fn items_inside_each_other_without_end_are_refused() {
        let deep = format!("<rss>{}", "<item>".repeat(DEPTH_MAX + 1));
        assert!(matches!(parse(deep.as_bytes()), Err(ParseError::Xml { .. })));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            drop(parse(&bytes));
            let mut feed = b"<rss><channel><item>".to_vec();
            feed.extend_from_slice(&bytes);
            drop(parse(&feed));
        }
    }
}
