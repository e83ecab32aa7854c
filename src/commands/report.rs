//! `report`: a run's reports once more, from its journal.

use super::carry_out::{read_ledger, show};
use super::resume::read_record;
use super::start_logs;
use crate::cli::ReportArgs;
use crate::console;
use crate::console::Output;
use crate::error::Error;
use crate::journal::RunFolder;
use crate::report;
use crate::report::{RowStream, StreamFormat};

pub(super) fn report(args: &ReportArgs) -> Result<u8, Error> {
    start_logs(&args.log)?;
    let folder = RunFolder::open(&args.folder)?;
    let _lock = folder.lock()?;
    let record = read_record(&folder)?;
    let ledger = read_ledger(&folder, &record)?;
    let summary = report::write(&folder, &record, &ledger)?;
    let format = match args.output {
        Output::Jsonl => Some(StreamFormat::Jsonl),
        Output::Csv => Some(StreamFormat::Csv),
        _ => None,
    };
    if let Some(format) = format {
        let fail = |source| Error::Io { what: "can't write to standard output".to_owned(), source };
        let mut rows = RowStream::new(console::Out::new(), format, &record.columns).map_err(fail)?;
        report::for_each_row(&folder, &record, &ledger, |row| rows.write(row).map_err(fail))?;
        rows.finish().map_err(fail)?;
    }
    show(&summary, &folder, &record, args.output)?;
    Ok(0)
}
