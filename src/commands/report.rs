//! `report`: makes a run's reports again from its journal.

use super::execute::{print_run_summary, read_journal_index, warn_altered};
use super::resume::read_run_record;
use super::resume_flags::ResumeFlags;
use super::{init_logging, merge};
use crate::cli::ReportArgs;
use crate::console;
use crate::console::OutputFormat;
use crate::error::Error;
use crate::journal::RunFolder;
use crate::report;
use crate::report::{ReportRow, RowStream, StreamFormat};

pub(super) fn report(args: &ReportArgs) -> Result<u8, Error> {
    init_logging(&args.log)?;
    let folder = match (&args.merge, &args.folders[..]) {
        (Some(out), folders) => return merge::merge(out, folders, args.output),
        (None, [folder]) => RunFolder::open(folder)?,
        (None, _) => {
            return Err(Error::Usage(
                "name one run folder; --merge OUT merges the folders of several shards".to_owned(),
            ));
        }
    };
    let _lock = folder.lock()?;
    let record = read_run_record(&folder)?;
    let journal_index = read_journal_index(&folder, &record)?;
    let summary = report::write(&folder, &record, &journal_index)?;
    print_rows(args.output, &record.columns, |visit| {
        report::for_each_row(&folder, &record, &journal_index, visit)
    })?;
    if args.output != OutputFormat::Text {
        warn_altered(&summary);
    }
    print_run_summary(&summary, &folder, &record, &ResumeFlags::from_record(&record), args.output)?;
    Ok(0)
}

/// A callback that gets each row.
pub(super) type ReportRowVisitor<'a> = &'a mut dyn FnMut(&ReportRow<'_>) -> Result<(), Error>;

/// Prints all rows, if the output format asks for them.
pub(super) fn print_rows(
    output: OutputFormat,
    columns: &[String],
    for_each: impl FnOnce(ReportRowVisitor<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let format = match output {
        OutputFormat::Jsonl => StreamFormat::Jsonl,
        OutputFormat::Csv => StreamFormat::Csv,
        OutputFormat::Text | OutputFormat::Json | OutputFormat::None => return Ok(()),
    };
    let fail = |source| Error::Io { what: "can't write to standard output".to_owned(), source };
    let mut rows = RowStream::new(console::StdoutWriter::new(), format, columns).map_err(fail)?;
    for_each(&mut |row| rows.write(row).map_err(fail))?;
    rows.finish().map_err(fail)
}
