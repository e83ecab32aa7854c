//! Nothing is lost: what the program keeps and resumes if it is killed, interrupted, or out of space, and if its folder
//! is changed by others.
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
