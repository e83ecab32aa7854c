//! Random lists in every format, dialect and encoding: either an ID in a cell is never revoked, or the run stops. To
//! add a format, add a variant to [`Format`]; to add an oddity, add one to [`Oddity`].

use std::collections::BTreeSet;

use entra_revoke::intake::{self, InputSource, IntakeOptions};
use entra_revoke::plan::{Draft, InputRows, ListEntry, Operator, PlanOptions};
use proptest::prelude::*;

use super::workbook::{FORMULA, Sheet, workbook};
use crate::ctx::TestContext;

const PEOPLE: u8 = 6;

fn upn(n: u8) -> String {
    format!("user{n}@contoso.com")
}

fn object(n: u8) -> String {
    format!("0000000{n}-1c1b-4ff4-9ab1-1a2b3c4d5e6f")
}

/// How the list is written.
#[derive(Clone, Copy, Debug)]
enum Format {
    Plain,
    Table(char),
    Json,
    JsonLines,
    Workbook,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Utf8,
    Marked,
    Utf16Le,
    Utf16Be,
    Latin,
}

/// How one row is written.
#[derive(Clone, Copy, Debug)]
enum Oddity {
    None,
    ByObject,
    Quoted(&'static str, &'static str),
    Named,
    Mailto,
    Claim,
    TwoInACell,
    InTheNote,
    Backup,
    Shifted,
    TrailingDot,
    Invisible,
    Blank,
    Title,
    Header,
    OtherHeader,
    Nul,
    BadByte,
    OpenQuote,
    Formula,
    SecondSheet,
    HiddenSheet,
    HiddenRow,
    Excel,
    Hash,
    Rule,
    Tenant,
}

fn oddity() -> impl Strategy<Value = Oddity> {
    use Oddity::*;
    let common = prop::sample::select(vec![
        None,
        ByObject,
        Quoted("\"", "\""),
        Quoted("'", "'"),
        Quoted("“", "”"),
        Quoted("«", "»"),
        Named,
        Mailto,
        Claim,
        InTheNote,
        Backup,
        Blank,
        Header,
        HiddenRow,
        SecondSheet,
        HiddenSheet,
        Rule,
        Excel,
        Hash,
        Tenant,
    ]);
    let fatal = prop::sample::select(vec![
        TwoInACell,
        Shifted,
        TrailingDot,
        Invisible,
        Title,
        OtherHeader,
        Nul,
        BadByte,
        OpenQuote,
        Formula,
    ]);
    prop_oneof![6 => Just(None), 6 => common, 1 => fatal]
}

#[derive(Clone, Debug)]
struct Plan {
    format: Format,
    encoding: Encoding,
    end: &'static str,
    header: bool,
    rows: Vec<(u8, u8, Oddity)>,
}

fn plan() -> impl Strategy<Value = Plan> {
    use Format::*;
    let format = prop::sample::select(vec![
        Plain,
        Plain,
        Table(','),
        Table(';'),
        Table('\t'),
        Table('|'),
        Json,
        JsonLines,
        Workbook,
        Workbook,
    ]);
    let encoding = prop::sample::select(vec![
        Encoding::Utf8,
        Encoding::Utf8,
        Encoding::Marked,
        Encoding::Utf16Le,
        Encoding::Utf16Be,
        Encoding::Latin,
    ]);
    let end = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    let rows = prop::collection::vec((0..PEOPLE, 0..PEOPLE, oddity()), 1..6);
    (format, encoding, end, any::<bool>(), rows).prop_map(|(format, encoding, end, header, rows)| Plan {
        format,
        encoding,
        end,
        header,
        rows,
    })
}

/// A list, and all ids in its cells.
fn write(plan: &Plan) -> (Vec<u8>, BTreeSet<u8>) {
    let header = ["Name", "userPrincipalName", "Note", "tenant"].map(str::to_owned).to_vec();
    let plain = matches!(plan.format, Format::Plain);
    let mut rows: Vec<(bool, Vec<String>)> = Vec::new();
    let mut sheets: Vec<Sheet> = Vec::new();
    let json = matches!(plan.format, Format::Json | Format::JsonLines);
    if plan.header && !plain && !json {
        rows.push((false, header.clone()));
    }
    let mut listed = BTreeSet::new();
    for (n, other, oddity) in &plan.rows {
        let mut cells = vec!["Ann Lee".to_owned(), upn(*n), String::new(), String::new()];
        let mut hidden = false;
        let mut ids = vec![*n];
        match oddity {
            Oddity::None => {}
            Oddity::ByObject => cells[1] = object(*n),
            Oddity::Quoted(open, close) => cells[1] = format!("{open}{}{close}", upn(*n)),
            Oddity::Named => cells[1] = format!("Ann Lee <{}>", upn(*n)),
            Oddity::Mailto => cells[1] = format!("mailto:{}", upn(*n)),
            Oddity::Claim => cells[1] = format!("i:0#.f|membership|{}", upn(*n)),
            Oddity::TwoInACell => {
                cells[1] = format!("{}; {}", upn(*n), upn(*other));
                ids.push(*other);
            }
            Oddity::InTheNote => {
                cells[2] = format!("deputy: {}", upn(*other));
                ids.push(*other);
            }
            Oddity::Backup => {
                cells[2] = upn(*other);
                ids.push(*other);
            }
            Oddity::Shifted => cells.insert(1, "Dr.".to_owned()),
            Oddity::TrailingDot => cells[1].push('.'),
            Oddity::Invisible => cells[1].insert(2, '\u{200b}'),
            Oddity::Blank => {
                cells = vec![String::new(); 4];
                ids.clear();
            }
            Oddity::Title => {
                cells = vec!["Accounts for emergencies".to_owned()];
                ids.clear();
            }
            Oddity::Header => {
                cells = if plain || json { vec![String::new(); 4] } else { header.clone() };
                ids.clear();
            }
            Oddity::OtherHeader => {
                cells = ["UPN", "Name"].map(str::to_owned).to_vec();
                ids.clear();
            }
            Oddity::Nul => cells[1].push('\0'),
            Oddity::BadByte => cells[1].insert(3, '\u{e000}'),
            Oddity::OpenQuote => cells[0] = "\"Ann".to_owned(),
            Oddity::Formula => {
                cells[1] = FORMULA.to_owned();
                ids.clear();
            }
            Oddity::HiddenRow => hidden = true,
            Oddity::Excel => cells[1].insert(0, '\''),
            Oddity::Hash => cells[2] = "no. #4".to_owned(),
            Oddity::Rule => {
                cells = vec!["----".to_owned(); 4];
                ids.clear();
            }
            Oddity::Tenant => cells[3] = "fabrikam.com".to_owned(),
            Oddity::SecondSheet | Oddity::HiddenSheet => {
                let is_hidden = matches!(oddity, Oddity::HiddenSheet);
                let name = format!("Sheet {}", sheets.len() + 2);
                if matches!(plan.format, Format::Workbook) {
                    sheets.push((name, is_hidden, vec![(false, std::mem::take(&mut cells))]));
                }
            }
        }
        listed.extend(ids);
        if plain {
            // One account on each line; whatever else stands in the row goes to lines of its own.
            rows.extend(
                cells
                    .into_iter()
                    .skip(1)
                    .filter(|cell| cell.contains('@') || cell.contains('-'))
                    .map(|cell| (false, vec![cell])),
            );
        } else {
            rows.push((hidden, cells));
        }
    }
    (bytes(plan, rows, sheets), listed)
}

fn bytes(plan: &Plan, rows: Vec<(bool, Vec<String>)>, mut sheets: Vec<Sheet>) -> Vec<u8> {
    let text = match plan.format {
        Format::Workbook => {
            sheets.insert(0, ("Sheet 1".to_owned(), false, rows));
            return workbook(&sheets);
        }
        Format::Plain => rows.iter().map(|(_, cells)| format!("{}{}", cells[0], plan.end)).collect(),
        Format::Table(delimiter) => {
            let quoted =
                |cell: &String| match cell.contains([delimiter, '"', '\n']) && !cell.starts_with("\"Ann") {
                    true => format!("\"{}\"", cell.replace('"', "\"\"")),
                    false => cell.clone(),
                };
            let line = |cells: &Vec<String>| {
                let cells: Vec<String> = cells.iter().map(quoted).collect();
                format!("{}{}", cells.join(&delimiter.to_string()), plan.end)
            };
            rows.iter().map(|(_, cells)| line(cells)).collect::<String>()
        }
        Format::Json | Format::JsonLines => {
            let keys = ["name", "userPrincipalName", "note", "tenant", "more"];
            let object = |cells: &Vec<String>| {
                let members =
                    keys.iter().zip(cells).map(|(key, cell)| ((*key).to_owned(), cell.clone().into()));
                serde_json::Value::Object(members.collect()).to_string()
            };
            let objects: Vec<String> = rows.iter().map(|(_, cells)| object(cells)).collect();
            match plan.format {
                Format::Json => format!("[{}]", objects.join(",\n")),
                _ => objects.join("\n"),
            }
        }
    };
    encode(&text, plan.encoding)
}

fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    let bad = "\u{e000}";
    match encoding {
        Encoding::Utf8 | Encoding::Marked => {
            let mut bytes =
                if matches!(encoding, Encoding::Marked) { vec![0xef, 0xbb, 0xbf] } else { Vec::new() };
            for (at, part) in text.split(bad).enumerate() {
                if at > 0 {
                    bytes.push(0xff);
                }
                bytes.extend(part.as_bytes());
            }
            bytes
        }
        Encoding::Utf16Le | Encoding::Utf16Be => {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            let units = units.map(|unit| if unit == 0xe000 { 0xd800 } else { unit });
            match encoding {
                Encoding::Utf16Le => units.flat_map(u16::to_le_bytes).collect(),
                _ => units.flat_map(u16::to_be_bytes).collect(),
            }
        }
        Encoding::Latin => {
            let byte = |c: char| match c {
                '“' => 0x93,
                '”' => 0x94,
                c => u8::try_from(u32::from(c)).unwrap_or(0xe9),
            };
            text.chars().map(byte).collect()
        }
    }
}

fn input() -> String {
    let rows: String = (0..PEOPLE).map(|n| format!("{},{}\n", object(n), upn(n))).collect();
    format!("id,userPrincipalName\n{rows}")
}

/// Who is planned to be sent; none where the plan is refused.
fn sent(list: &[u8], exclude: bool) -> Option<BTreeSet<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let (path, users) = (dir.path().join("list"), dir.path().join("users.csv"));
    std::fs::write(&path, list).unwrap();
    std::fs::write(&users, input()).unwrap();
    let entry = vec![ListEntry::parse(&path.display().to_string(), false)];
    let wishes = match exclude {
        true => PlanOptions { exclude: entry, ..PlanOptions::default() },
        false => PlanOptions { protect: entry, ..PlanOptions::default() },
    };
    let gathered =
        InputRows::read(intake::open(&[InputSource::File(users)], &IntakeOptions::default()).unwrap())
            .unwrap();
    let signed = Operator::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let draft = runtime.block_on(Draft::build(gathered, &wishes, &signed, None)).ok()?;
    let mut sent = BTreeSet::new();
    draft
        .for_each_row(|row| {
            if row.order().is_some() {
                sent.insert((0..PEOPLE).find(|n| object(*n) == row.user_id).unwrap());
            }
            Ok(())
        })
        .unwrap();
    Some(sent)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn ids_in_a_list_are_never_revoked_or_the_run_stops(plan in plan(), exclude: bool) {
        let (list, listed) = write(&plan);
        if let Some(sent) = sent(&list, exclude) {
            let hit: Vec<&u8> = sent.intersection(&listed).collect();
            prop_assert!(hit.is_empty(), "{hit:?} past {:?}", String::from_utf8_lossy(&list));
        }
    }
}

/// Nothing would be easier than to refuse every list: those without a fatal oddity are read.
#[test]
fn plain_lists_of_every_format_are_read() {
    use Format::*;
    for format in [Plain, Table(','), Table(';'), Table('\t'), Table('|'), Json, JsonLines, Workbook] {
        for encoding in
            [Encoding::Utf8, Encoding::Marked, Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Latin]
        {
            let rows =
                [Oddity::None, Oddity::Quoted("“", "”"), Oddity::Named, Oddity::Backup, Oddity::HiddenSheet];
            let rows = (0..).zip(rows).map(|(n, oddity)| (n, n + 1, oddity)).collect();
            let plan = Plan { format, encoding, end: "\r\n", header: true, rows };
            let (list, listed) = write(&plan);
            let sent = sent(&list, false);
            let expected: BTreeSet<u8> = (0..PEOPLE).filter(|n| !listed.contains(n)).collect();
            assert_eq!(sent, Some(expected), "{format:?} {encoding:?} {:?}", String::from_utf8_lossy(&list));
        }
    }
}

#[test]
fn the_binary_never_revokes_ids_in_a_list() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for number in 0..24 {
        let tree = plan().new_tree(&mut runner).unwrap();
        let plan = proptest::strategy::ValueTree::current(&tree);
        let (list, listed) = write(&plan);
        let ctx = TestContext::new("");
        let path = ctx.input("list", &list).display().to_string();
        let users = ctx.input("users.csv", input());
        let flag = if number % 2 == 0 { "--protect" } else { "--exclude-file" };
        let done = ctx.run(&users, &[flag, &path]);
        assert!(matches!(done.code, Some(0 | 2)), "{:?}: {}", done.code, done.stderr);
        let users = ctx.ledger().users;
        for n in listed {
            let is_sent = |id: &str| users.iter().any(|user| user.id == id && user.requests > 0);
            let text = String::from_utf8_lossy(&list);
            assert!(!is_sent(&object(n)) && !is_sent(&upn(n)), "{n} past {text:?}");
        }
    }
}
