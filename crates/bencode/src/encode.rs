//! An encoder whose output is canonical by construction: keys may be given in any order, the
//! dictionary sorts its entries when it closes.

use std::io::Write;
use std::ops::Range;

/// Bytes that there is room for from the start: most messages take fewer.
const FIRST_BYTES: usize = 256;

/// Entries of a dictionary that there is room for from the start.
const FIRST_ENTRIES: usize = 8;

/// Encodes a dictionary that `fill` writes.
pub fn encode_dict(fill: impl FnOnce(&mut DictWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(FIRST_BYTES);
    write_dict(&mut out, fill);
    out
}

/// Encodes a list that `fill` writes.
pub fn encode_list(fill: impl FnOnce(&mut ListWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write_list(&mut out, fill);
    out
}

/// Writes the entries of one dictionary. Keys come in any order; of entries with one key the first
/// is kept.
#[derive(Debug)]
pub struct DictWriter<'o> {
    out: &'o mut Vec<u8>,
    /// Of each entry the key's payload and the whole encoding, as ranges of `out`.
    entries: Vec<(Range<usize>, Range<usize>)>,
}

impl DictWriter<'_> {
    /// A string entry.
    pub fn bytes(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.entry(key, |out| write_bytes(out, value.as_ref()));
    }

    /// An integer entry.
    pub fn int(&mut self, key: impl AsRef<[u8]>, value: impl Into<i128>) {
        self.entry(key, |out| write_int(out, value.into()));
    }

    /// A list entry.
    pub fn list(&mut self, key: impl AsRef<[u8]>, fill: impl FnOnce(&mut ListWriter<'_>)) {
        self.entry(key, |out| write_list(out, fill));
    }

    /// A dictionary entry.
    pub fn dict(&mut self, key: impl AsRef<[u8]>, fill: impl FnOnce(&mut DictWriter<'_>)) {
        self.entry(key, |out| write_dict(out, fill));
    }

    /// An entry whose value is encoded already. The caller vouches that it is one value.
    pub fn raw(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.entry(key, |out| out.extend_from_slice(value.as_ref()));
    }

    fn entry(&mut self, key: impl AsRef<[u8]>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        write_bytes(self.out, key.as_ref());
        let key_end = self.out.len();
        write(self.out);
        self.entries.push((key_end - key.as_ref().len()..key_end, start..self.out.len()));
    }

    /// Puts the entries in order, which costs nothing when they came so.
    fn sort(self) {
        let Self { out, mut entries } = self;
        let key = |entry: &(Range<usize>, Range<usize>)| &out[entry.0.clone()];
        if entries.is_sorted_by(|a, b| key(a) < key(b)) {
            return;
        }
        let start = entries.iter().map(|entry| entry.1.start).min().unwrap_or(out.len());
        // Stable: the first entry of a key stays first and survives.
        entries.sort_by(|a, b| key(a).cmp(key(b)));
        entries.dedup_by(|later, first| key(later) == key(first));
        let mut sorted = Vec::with_capacity(out.len() - start);
        entries.iter().for_each(|entry| sorted.extend_from_slice(&out[entry.1.clone()]));
        out.truncate(start);
        out.extend_from_slice(&sorted);
    }
}

/// Writes the items of one list, in order.
#[derive(Debug)]
pub struct ListWriter<'o> {
    out: &'o mut Vec<u8>,
}

impl ListWriter<'_> {
    /// A string item.
    pub fn bytes(&mut self, value: impl AsRef<[u8]>) {
        write_bytes(self.out, value.as_ref());
    }

    /// An integer item.
    pub fn int(&mut self, value: impl Into<i128>) {
        write_int(self.out, value.into());
    }

    /// A list item.
    pub fn list(&mut self, fill: impl FnOnce(&mut ListWriter<'_>)) {
        write_list(self.out, fill);
    }

    /// A dictionary item.
    pub fn dict(&mut self, fill: impl FnOnce(&mut DictWriter<'_>)) {
        write_dict(self.out, fill);
    }

    /// An item that is encoded already. The caller vouches that it is one value.
    pub fn raw(&mut self, value: impl AsRef<[u8]>) {
        self.out.extend_from_slice(value.as_ref());
    }
}

fn write_bytes(out: &mut Vec<u8>, value: &[u8]) {
    write_digits(out, value.len() as u64);
    out.push(b':');
    out.extend_from_slice(value);
}

fn write_int(out: &mut Vec<u8>, value: i128) {
    match u64::try_from(value) {
        Ok(number) => {
            out.push(b'i');
            write_digits(out, number);
            out.push(b'e');
        }
        // Writing to a vector never fails.
        Err(_) => drop(write!(out, "i{value}e")),
    }
}

/// Without the machinery for formats, which would cost more than the rest of a short entry.
fn write_digits(out: &mut Vec<u8>, mut number: u64) {
    // As many as `u64::MAX` has.
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

fn write_list(out: &mut Vec<u8>, fill: impl FnOnce(&mut ListWriter<'_>)) {
    out.push(b'l');
    fill(&mut ListWriter { out });
    out.push(b'e');
}

fn write_dict(out: &mut Vec<u8>, fill: impl FnOnce(&mut DictWriter<'_>)) {
    out.push(b'd');
    let mut writer = DictWriter { out, entries: Vec::with_capacity(FIRST_ENTRIES) };
    fill(&mut writer);
    writer.sort();
    out.push(b'e');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_given_in_any_order_come_out_sorted_and_once() {
        let bytes = encode_dict(|dict| {
            dict.int("b", 2);
            dict.list("aa", |list| {
                list.int(-1);
                list.bytes("x");
            });
            dict.dict("a", |inner| {
                inner.raw("z", b"le");
                inner.int("y", u64::MAX);
            });
            dict.int("b", 3);
        });
        assert_eq!(bytes, b"d1:ad1:yi18446744073709551615e1:zlee2:aali-1e1:xe1:bi2ee");
    }

    #[test]
    fn numbers_are_written_as_formats_write_them() {
        let edges = [0, 1, 9, 10, 99, 100, u64::MAX / 10, u64::MAX - 1, u64::MAX].map(i128::from);
        for number in edges.into_iter().flat_map(|edge| [edge, -edge]).chain([1 << 64, i128::MIN]) {
            let bytes = encode_list(|list| list.int(number));
            assert_eq!(String::from_utf8_lossy(&bytes), format!("li{number}ee"));
        }
    }

    #[test]
    fn an_empty_dictionary_and_list_are_two_bytes() {
        assert_eq!(encode_dict(|_| ()), b"de");
        assert_eq!(encode_list(|_| ()), b"le");
    }
}
