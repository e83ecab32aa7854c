//! The table of contents of a zip archive: enough to tell a workbook from other archives, and a bomb from a workbook.

use std::io::{self, Read, Seek, SeekFrom};

/// What an archive says of itself.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) names: Vec<String>,
    /// How many bytes all its members have when unpacked. A member may lie about that.
    pub(super) unpacked: u64,
}

const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
const MEMBER: &[u8] = b"PK\x01\x02";
const MEMBER_LENGTH: usize = 46;
/// The longest table of contents that is read, in bytes. That of a workbook has some kilobytes.
const LONGEST: u32 = 4 * 1024 * 1024;

/// Reads the table of contents; nothing if there is none that makes sense.
pub(super) fn contents(file: &mut (impl Read + Seek)) -> io::Result<Option<Contents>> {
    let length = file.seek(SeekFrom::End(0))?;
    // After the end record there may be a comment of up to 64 KiB.
    let tail_start = length.saturating_sub(END_LENGTH as u64 + 0xffff);
    let tail = read_at(file, tail_start, length - tail_start)?;
    let Some(end) = tail.windows(END.len()).rposition(|bytes| bytes == END) else { return Ok(None) };
    let (Some(size), Some(start)) = (u32_at(&tail, end + 12), u32_at(&tail, end + 16)) else {
        return Ok(None);
    };
    if size > LONGEST {
        return Ok(None);
    }
    let table = read_at(file, u64::from(start), u64::from(size))?;
    Ok(parse(&table))
}

fn parse(table: &[u8]) -> Option<Contents> {
    let mut contents = Contents::default();
    let mut rest = table;
    while rest.starts_with(MEMBER) {
        let unpacked = u32_at(rest, 24)?;
        let lengths = [28, 30, 32].map(|at| u16_at(rest, at).map(usize::from));
        let [Some(name), Some(extra), Some(comment)] = lengths else { return None };
        let text = rest.get(MEMBER_LENGTH..MEMBER_LENGTH + name)?;
        contents.names.push(String::from_utf8_lossy(text).replace('\\', "/"));
        // All ones mean that the size needs more than 32 bits.
        contents.unpacked += if unpacked == u32::MAX { u64::MAX / 1_000_000 } else { u64::from(unpacked) };
        rest = rest.get(MEMBER_LENGTH + name + extra + comment..)?;
    }
    (!contents.names.is_empty()).then_some(contents)
}

fn read_at(file: &mut (impl Read + Seek), start: u64, count: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An archive without data, whose table of contents names these members and their unpacked sizes.
    pub(in super::super) fn archive(members: &[(&str, u32)]) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        let start = bytes.len() as u32;
        for (name, size) in members {
            let mut member = [0; MEMBER_LENGTH];
            member[..4].copy_from_slice(MEMBER);
            member[24..28].copy_from_slice(&size.to_le_bytes());
            member[28..30].copy_from_slice(&(name.len() as u16).to_le_bytes());
            bytes.extend(member);
            bytes.extend(name.as_bytes());
        }
        let size = bytes.len() as u32 - start;
        bytes.extend(END);
        bytes.extend([0; 8]);
        bytes.extend(size.to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend([0; 2]);
        bytes
    }

    #[test]
    fn reads_names_and_sizes() {
        let found = contents(&mut io::Cursor::new(archive(&[("a", 5), ("xl\\b", 7)]))).unwrap().unwrap();
        assert_eq!((found.names, found.unpacked), (vec!["a".to_owned(), "xl/b".to_owned()], 12));
        assert!(contents(&mut io::Cursor::new(b"PK")).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn takes_any_bytes(mut bytes: Vec<u8>, at: usize) {
            let at = at % (bytes.len() + 1);
            bytes.splice(at..at, *b"PK\x05\x06");
            let _ = contents(&mut io::Cursor::new(&bytes));
            bytes.splice(0..0, *b"PK\x01\x02");
            let _ = parse(&bytes);
        }
    }
}
