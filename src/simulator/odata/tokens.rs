//! The tokens of a filter.

use super::query;
use crate::simulator::graph_response::GraphError;

/// A token of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FilterToken {
    /// A name, an operator, `true`, `null`, a GUID, a number.
    Name(String),
    /// A text in apostrophes. A doubled apostrophe has become a single one.
    Text(String),
    /// `(`, `)`, `,`, `:`, `/`
    Symbol(char),
}

/// Splits a filter into tokens.
pub(super) fn tokenize(filter: &str) -> Result<Vec<FilterToken>, GraphError> {
    let mut tokens = Vec::new();
    let mut rest = filter.chars().peekable();
    while let Some(&letter) = rest.peek() {
        match letter {
            ' ' | '\t' => {
                rest.next();
            }
            '(' | ')' | ',' | ':' | '/' => {
                rest.next();
                tokens.push(FilterToken::Symbol(letter));
            }
            '\'' => tokens.push(FilterToken::Text(text(&mut rest)?)),
            letter if is_in_name(letter) => {
                let mut name = String::new();
                while let Some(letter) = rest.next_if(|&letter| is_in_name(letter)) {
                    name.push(letter);
                }
                tokens.push(FilterToken::Name(name));
            }
            other => return Err(invalid(&format!("Syntax error: character '{other}' is not valid."))),
        }
    }
    Ok(tokens)
}

fn is_in_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | '$')
}

fn text(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, GraphError> {
    rest.next();
    let mut text = String::new();
    while let Some(letter) = rest.next() {
        if letter != '\'' {
            text.push(letter);
        } else if rest.next_if_eq(&'\'').is_some() {
            text.push('\'');
        } else {
            return Ok(text);
        }
    }
    Err(invalid("There is an unterminated string literal."))
}

/// The 400 for a filter that can't be parsed.
pub(super) fn invalid(why: &str) -> GraphError {
    query::bad_query(&format!("Invalid filter clause: {why}"))
}
