//! "Nothing lost": what the program keeps and resumes when it is killed, interrupted, or out of room, and when others have a
//! hand in its folder.
#![cfg(unix)]

mod agreed;
mod altered;
mod disk_full;
mod help;
mod hostile_folder;
mod kill_and_resume;
mod one_writer;
mod resume_rules;
mod shared_places;
mod signals;
mod standard_output;
mod torn_journal;
