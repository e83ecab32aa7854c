//! Decodes raw bytes to UTF-8: byte order marks, UTF-16 with and without one, the encodings of Excel, and files that
//! are not text.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use encoding_rs::{Decoder, DecoderResult, Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::error::quote;
use super::input_digest::HashingReader;

/// Marks bytes in decoded text that could not be decoded. It is never valid UTF-8, so the row is found to be
/// unreadable, and nothing is replaced silently.
pub(super) const UNDECODABLE: u8 = 0xff;

/// A character encoding, by any label of the WHATWG encoding standard: `utf-8`, `utf-16le`, `windows-1252`, `latin1`…
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextEncoding(&'static Encoding);

/// Why a text is not an encoding.
#[derive(Debug, thiserror::Error)]
#[error("unknown encoding {label}: try utf-8, utf-16le, utf-16be or windows-1252")]
pub struct EncodingError {
    label: String,
}

impl FromStr for TextEncoding {
    type Err = EncodingError;

    fn from_str(label: &str) -> Result<Self, EncodingError> {
        Encoding::for_label(label.as_bytes())
            .filter(|encoding| *encoding != REPLACEMENT)
            .map(Self)
            .ok_or_else(|| EncodingError { label: quote(label) })
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 == WINDOWS_1252 { "Windows-1252" } else { self.0.name() })
    }
}

impl TextEncoding {
    pub(super) fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }

    fn decoder(self) -> Option<Decoder> {
        (!self.is_utf8()).then(|| self.0.new_decoder_without_bom_handling())
    }
}

/// The encoding of a text, as its first bytes show it.
#[derive(Debug)]
pub(super) struct DetectedEncoding {
    pub encoding: TextEncoding,
    /// The length of the byte order mark, in bytes.
    pub mark: usize,
    /// How the encoding was detected, if that is worth a note.
    pub note: Option<&'static str>,
}

/// A file that is not text.
#[derive(Debug)]
pub(super) struct NotTextError {
    pub what: &'static str,
    pub remedy: &'static str,
}

const AS_CSV: &str = "save it as .xlsx or as CSV UTF-8";

/// File formats that begin with known bytes and have no rows that this program could read.
const FORMATS: [(&[u8], &str, &str); 9] = [
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old .xls (or password-protected) workbook", AS_CSV),
    (b"\xff\xfe\0\0", "UTF-32 text", "save it as UTF-8"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"%PDF-", "a PDF document", "export the table as CSV UTF-8"),
    (b"{\\rtf", "an RTF document", "save it as plain text"),
    (b"\x89PNG", "a PNG image", "check that it is the right file"),
    (b"\xff\xd8\xff", "a JPEG image", "check that it is the right file"),
    (b"\x7fELF", "a program", "check that it is the right file"),
];

/// Detects the encoding from the first bytes. A byte order mark overrides `chosen`, and `chosen` overrides guesses.
///
/// If `is_complete`, `head` is the whole text and does not end in the middle of a character.
pub(super) fn detect(
    head: &[u8],
    is_complete: bool,
    chosen: Option<TextEncoding>,
) -> Result<DetectedEncoding, NotTextError> {
    if let Some((_, what, remedy)) = FORMATS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Err(NotTextError { what, remedy });
    }
    if let Some((encoding, mark)) = Encoding::for_bom(head) {
        let encoding = TextEncoding(encoding);
        let contradicted = chosen.is_some_and(|chosen| chosen != encoding);
        return Ok(DetectedEncoding {
            encoding,
            mark,
            note: contradicted.then_some("its byte order mark overrides --encoding"),
        });
    }
    let found = |encoding, note| Ok(DetectedEncoding { encoding: TextEncoding(encoding), mark: 0, note });
    if let Some(chosen) = chosen {
        return found(chosen.0, None);
    }
    if let Some(encoding) = detect_utf16_by_zeros(head) {
        return found(encoding, Some("no byte order mark; recognized by its zero bytes"));
    }
    // NUL bytes at the end only pad a file, and a few in the text spoil only their cells. In random bytes, a ninth are
    // control characters.
    let filled = head.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = &head[..filled];
    let controls = text.iter().filter(|b| b.is_ascii_control() && !b"\t\n\r\x0c\x1a".contains(b)).count();
    if controls >= 8 && controls * 12 > text.len() {
        return Err(NotTextError {
            what: "a binary file",
            remedy: "use CSV, a plain list, or an .xlsx workbook",
        });
    }
    let (characters, faults) = count_multibyte(head, is_complete);
    // If the text may be either, it is read as UTF-8, where broken bytes are noticed and spoil only their cells. In
    // Windows-1252 every byte is valid.
    if faults > 0 && characters == 0 {
        found(WINDOWS_1252, Some("it is not UTF-8"))
    } else {
        found(UTF_8, None)
    }
}

/// Detects UTF-16 without a mark. Most of the text is ASCII, so nearly every other byte is zero.
fn detect_utf16_by_zeros(head: &[u8]) -> Option<&'static Encoding> {
    let pairs = head.len() / 2;
    let zeros = |start: usize| head.iter().skip(start).step_by(2).take(pairs).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let mostly = |many: usize, few: usize| many > 0 && many * 10 >= pairs * 4 && few * 20 <= pairs;
    if mostly(odd, even) {
        Some(UTF_16LE)
    } else if mostly(even, odd) {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Counts the valid UTF-8 characters of more than one byte, and the places where the UTF-8 is not valid.
fn count_multibyte(head: &[u8], is_complete: bool) -> (usize, usize) {
    let mut characters = 0;
    let mut faults = 0;
    let mut chunks = head.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        characters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        let bytes = chunk.invalid();
        let cut = !is_complete
            && chunks.peek().is_none()
            && std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none());
        if !bytes.is_empty() && !cut {
            faults += 1;
        }
    }
    (characters, faults)
}

/// A source as UTF-8 text, decoded while it is read, without its byte order mark.
pub(super) struct DecodedText {
    raw: io::Chain<io::Cursor<Vec<u8>>, HashingReader>,
    decoder: Option<Decoder>,
    input: Box<[u8]>,
    start: usize,
    end: usize,
    input_ended: bool,
    done: bool,
    marker_pending: bool,
}

impl DecodedText {
    /// `head` has the bytes that were already read from `rest`.
    pub(super) fn new(head: Vec<u8>, rest: HashingReader, detected: &DetectedEncoding) -> Self {
        let mut head = io::Cursor::new(head);
        head.set_position(detected.mark as u64);
        Self {
            raw: head.chain(rest),
            decoder: detected.encoding.decoder(),
            input: vec![0; 16 * 1024].into_boxed_slice(),
            start: 0,
            end: 0,
            input_ended: false,
            done: false,
            marker_pending: false,
        }
    }

    /// Returns the raw source, so that the rest of it can be hashed.
    pub(super) fn into_raw(self) -> HashingReader {
        self.raw.into_inner().1
    }
}

impl Read for DecodedText {
    /// `out` must have room for at least 16 bytes.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(decoder) = &mut self.decoder else { return self.raw.read(out) };
        let mut written = 0;
        while !self.done && written == 0 {
            if self.marker_pending {
                out[0] = UNDECODABLE;
                written = 1;
                self.marker_pending = false;
            }
            if self.start == self.end && !self.input_ended {
                (self.start, self.end) = (0, self.raw.read(&mut self.input)?);
                self.input_ended = self.end == 0;
            }
            let input = &self.input[self.start..self.end];
            let (result, read, wrote) =
                decoder.decode_to_utf8_without_replacement(input, &mut out[written..], self.input_ended);
            self.start += read;
            written += wrote;
            match result {
                DecoderResult::InputEmpty => self.done = self.input_ended,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.marker_pending = true,
            }
        }
        Ok(written)
    }
}

/// The text of the first bytes alone, to sniff before reading.
pub(super) fn decode_head(head: &[u8], is_complete: bool, detected: &DetectedEncoding) -> Vec<u8> {
    let head = &head[detected.mark..];
    let Some(mut decoder) = detected.encoding.decoder() else { return head.to_vec() };
    let mut text = Vec::with_capacity(head.len() * 3 + 16);
    let mut rest = head;
    let mut room = [0; 4096];
    loop {
        let (result, read, wrote) = decoder.decode_to_utf8_without_replacement(rest, &mut room, is_complete);
        rest = &rest[read..];
        text.extend_from_slice(&room[..wrote]);
        match result {
            DecoderResult::InputEmpty => return text,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => text.push(UNDECODABLE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(head: &[u8]) -> String {
        detect(head, true, None).map_or_else(|no| no.what.to_owned(), |yes| yes.encoding.to_string())
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    }

    #[test]
    fn tells_encodings_by_content() {
        assert_eq!(describe("id\nzoë@contoso.com\n".as_bytes()), "UTF-8");
        assert_eq!(describe(b"\xef\xbb\xbfid\n"), "UTF-8");
        assert_eq!(describe(&utf16("UPN;Näme\r\nzoë@contoso.com;Z\r\n", false)), "UTF-16LE");
        assert_eq!(describe(&utf16("UPN;Näme\r\nzoë@contoso.com;Z\r\n", true)), "UTF-16BE");
        assert_eq!(describe(b"UPN;Name\r\nzoe@contoso.com;Zo\xeb\r\n"), "Windows-1252");
        assert_eq!(describe(b"a\xff\nZo\xc3\xab \xc3\xbc\n"), "UTF-8");
        assert_eq!(describe(b"ann@contoso.com\na\0b\n"), "UTF-8");
        let notes = "ann@contoso.com,left\0early\n".repeat(20);
        assert_eq!(describe(format!("UPN,Note\n{notes}{}", "\0".repeat(4096)).as_bytes()), "UTF-8");
        assert_eq!(describe(b"\x89PNG\r\n\x1a\n"), "a PNG image");
        assert_eq!(describe(&(0..=255).collect::<Vec<u8>>().repeat(4)), "a binary file");
        assert!(detect("é".as_bytes().split_last().unwrap().1, false, None).unwrap().encoding.is_utf8());
    }

    #[test]
    fn bom_beats_option_and_option_beats_detection() {
        let latin = "latin1".parse().ok();
        assert!(detect(b"\xef\xbb\xbfid", true, latin).unwrap().note.is_some());
        assert_eq!(detect(b"id", true, latin).unwrap().encoding.to_string(), "Windows-1252");
        assert!("replacement".parse::<TextEncoding>().is_err());
        assert!("utf-7".parse::<TextEncoding>().is_err());
    }

    #[test]
    fn marks_what_cannot_be_decoded() {
        let mut bytes = utf16("a", false);
        bytes.extend([0x00, 0xd8]); // half of a surrogate pair
        bytes.extend(utf16("b", false));
        bytes.push(0x41); // half of a unit
        let detected = detect(&bytes, true, "utf-16le".parse().ok()).unwrap();
        assert_eq!(decode_head(&bytes, true, &detected), b"a\xffb\xff");
        let mut text = DecodedText::new(bytes, HashingReader::new(Box::new(io::empty())), &detected);
        let mut out = Vec::new();
        text.read_to_end(&mut out).unwrap();
        assert_eq!(out, b"a\xffb\xff");
    }
}
