//! Files of the old Office format (OLE), distinguished by the streams in them.

use super::UnsupportedFormat;

/// How an OLE file begins.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Names of streams with the format that they show, the most certain first.
const STREAMS: [(&str, UnsupportedFormat); 5] = [
    ("__nameid_version1.0", MESSAGE),
    ("__properties_version1.0", MESSAGE),
    (
        "EncryptedPackage",
        UnsupportedFormat::new(
            "a password-protected workbook",
            "remove the password, or save it as CSV UTF-8",
        ),
    ),
    ("WordDocument", UnsupportedFormat::new("an old .doc document", "save the list as plain text")),
    ("Workbook", UnsupportedFormat::new("an old .xls workbook", "save it as .xlsx or as CSV UTF-8")),
];

const MESSAGE: UnsupportedFormat = UnsupportedFormat::new(
    "an Outlook message (.msg)",
    "save its attachment, or the list in it as plain text",
);

const ANY: UnsupportedFormat = UnsupportedFormat::new(
    "an old Office file (.xls, a password-protected workbook, or an Outlook message)",
    "save it as .xlsx or as CSV UTF-8",
);

/// The format of an OLE file that begins with these bytes; `None` if it is not one.
pub(in super::super) fn find_binary(head: &[u8]) -> Option<UnsupportedFormat> {
    let rest = head.strip_prefix(OLE)?;
    let holds = |name: &str| {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        rest.windows(name.len()).any(|bytes| bytes == name)
    };
    Some(STREAMS.iter().find(|(name, _)| holds(name)).map_or(ANY, |(_, format)| *format))
}
