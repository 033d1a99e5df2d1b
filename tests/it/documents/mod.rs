//! The documents against the program: both have the same keys, members, commands and options, and
//! every sample loads.
//!
//! `reference` checks the tables, `commands` the commands and their options, `pages` links, words
//! and form, `attacks` the tables of attacks, and `contributors` the documents about the code.
//! `markdown` reads pages for all of them.

mod attacks;
mod commands;
mod contributors;
mod markdown;
mod pages;
mod reference;
