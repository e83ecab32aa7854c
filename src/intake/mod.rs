//! Everything that yields rows: CSV, plain lists, spreadsheets, standard input.
