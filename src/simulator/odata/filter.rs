//! `$filter`: and, or, not, parentheses, eq, ne, in, startsWith, endsWith, and `any` over lists.

use super::tokens::{FilterToken, invalid, tokenize};
use crate::simulator::graph_response::GraphError;

/// The maximum depth of parentheses and `not`.
const MAX_DEPTH: usize = 50;

/// A parsed filter, not yet checked against a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) enum ODataFilter {
    And(Vec<ODataFilter>),
    Or(Vec<ODataFilter>),
    Not(Box<ODataFilter>),
    Compare {
        property: String,
        comparison: Comparison,
    },
    /// At least one item of a list matches.
    Any {
        property: String,
        item_filter: Box<ODataFilter>,
    },
}

/// A comparison with one property. Texts are in lower case, because the directory ignores case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) enum Comparison {
    Equal(Literal),
    NotEqual(Literal),
    In(Vec<Literal>),
    StartsWith(String),
    EndsWith(String),
}

/// A value in a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) enum Literal {
    Text(String),
    Flag(bool),
    Null,
}

impl ODataFilter {
    /// Parses a filter.
    pub(in crate::simulator) fn parse(text: &str) -> Result<ODataFilter, GraphError> {
        let mut parser =
            FilterParser { tokens: tokenize(text)?, position: 0, depth: 0, range_variable: None };
        let filter = parser.parse_or()?;
        match parser.next() {
            None => Ok(filter),
            Some(_) => Err(invalid("Syntax error: there is something behind its end.")),
        }
    }
}

struct FilterParser {
    tokens: Vec<FilterToken>,
    position: usize,
    depth: usize,
    /// The name of the range variable inside `any`.
    range_variable: Option<String>,
}

impl FilterParser {
    fn parse_or(&mut self) -> Result<ODataFilter, GraphError> {
        let mut parts = vec![self.parse_and()?];
        while self.accept_name("or") {
            parts.push(self.parse_and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { ODataFilter::Or(parts) })
    }

    fn parse_and(&mut self) -> Result<ODataFilter, GraphError> {
        let mut parts = vec![self.parse_operand()?];
        while self.accept_name("and") {
            parts.push(self.parse_operand()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { ODataFilter::And(parts) })
    }

    fn parse_operand(&mut self) -> Result<ODataFilter, GraphError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(invalid("The node count limit has been exceeded."));
        }
        let filter = self.parse_operand_inner();
        self.depth -= 1;
        filter
    }

    fn parse_operand_inner(&mut self) -> Result<ODataFilter, GraphError> {
        if self.accept_name("not") {
            return Ok(ODataFilter::Not(Box::new(self.parse_operand()?)));
        }
        if self.accept('(') {
            let inner = self.parse_or()?;
            self.expect(')')?;
            return Ok(inner);
        }
        let name = self.parse_name()?;
        for (function, is) in [
            ("startswith", Comparison::StartsWith as fn(String) -> Comparison),
            ("endswith", Comparison::EndsWith as fn(String) -> Comparison),
        ] {
            if name.eq_ignore_ascii_case(function) && self.accept('(') {
                let property = self.parse_name()?;
                self.expect(',')?;
                let text = self.parse_text()?;
                self.expect(')')?;
                return self.compare(property, is(text));
            }
        }
        if self.accept('/') {
            return self.parse_any(name);
        }
        self.parse_comparison(name)
    }

    fn parse_comparison(&mut self, property: String) -> Result<ODataFilter, GraphError> {
        let operator = self.parse_name()?.to_lowercase();
        let is = match operator.as_str() {
            "eq" => Comparison::Equal(self.parse_literal()?),
            "ne" => Comparison::NotEqual(self.parse_literal()?),
            "in" => {
                self.expect('(')?;
                let mut values = vec![self.parse_literal()?];
                while self.accept(',') {
                    values.push(self.parse_literal()?);
                }
                self.expect(')')?;
                Comparison::In(values)
            }
            other => return Err(invalid(&format!("Syntax error: '{other}' is no operator here."))),
        };
        self.compare(property, is)
    }

    /// Inside `any`, only the range variable can be compared.
    fn compare(&self, property: String, is: Comparison) -> Result<ODataFilter, GraphError> {
        match &self.range_variable {
            Some(item) if *item != property => {
                Err(invalid(&format!("Could not find a range variable named '{property}'.")))
            }
            _ => Ok(ODataFilter::Compare { property, comparison: is }),
        }
    }

    /// Parses `any(x:x eq '…')`, after the slash.
    fn parse_any(&mut self, property: String) -> Result<ODataFilter, GraphError> {
        if self.range_variable.is_some() || !self.accept_name("any") {
            return Err(invalid("Syntax error: only 'any' can follow a slash, and only once."));
        }
        self.expect('(')?;
        let item = self.parse_name()?;
        self.expect(':')?;
        self.range_variable = Some(item);
        let is = self.parse_or();
        self.range_variable = None;
        let is = Box::new(is?);
        self.expect(')')?;
        Ok(ODataFilter::Any { property, item_filter: is })
    }

    fn parse_literal(&mut self) -> Result<Literal, GraphError> {
        match self.next() {
            Some(FilterToken::Text(text)) => Ok(Literal::Text(text.to_lowercase())),
            Some(FilterToken::Name(name)) => match name.as_str() {
                "true" => Ok(Literal::Flag(true)),
                "false" => Ok(Literal::Flag(false)),
                "null" => Ok(Literal::Null),
                // A GUID may have no quotes.
                name if uuid::Uuid::try_parse(name).is_ok() => Ok(Literal::Text(name.to_lowercase())),
                name => Err(invalid(&format!("'{name}' is no value."))),
            },
            _ => Err(invalid("Syntax error: a value is missing.")),
        }
    }

    fn parse_text(&mut self) -> Result<String, GraphError> {
        match self.parse_literal()? {
            Literal::Text(text) => Ok(text),
            _ => Err(invalid("No function signature matches: a text is wanted.")),
        }
    }

    fn parse_name(&mut self) -> Result<String, GraphError> {
        match self.next() {
            Some(FilterToken::Name(name)) => Ok(name),
            _ => Err(invalid("Syntax error: a name is missing.")),
        }
    }

    fn next(&mut self) -> Option<FilterToken> {
        let word = self.tokens.get(self.position).cloned();
        self.position += 1;
        word
    }

    fn accept(&mut self, mark: char) -> bool {
        let is = matches!(self.tokens.get(self.position), Some(FilterToken::Symbol(other)) if *other == mark);
        self.position += usize::from(is);
        is
    }

    fn accept_name(&mut self, wanted: &str) -> bool {
        let is = matches!(self.tokens.get(self.position), Some(FilterToken::Name(name)) if name.eq_ignore_ascii_case(wanted));
        self.position += usize::from(is);
        is
    }

    fn expect(&mut self, mark: char) -> Result<(), GraphError> {
        if self.accept(mark) { Ok(()) } else { Err(invalid(&format!("Syntax error: '{mark}' expected."))) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn supported_filters_are_parsed() {
        let is = |property: &str, is| ODataFilter::Compare { property: property.into(), comparison: is };
        let text = |text: &str| Literal::Text(text.into());
        assert_eq!(
            ODataFilter::parse("mail eq 'O''Brien@X.com'").unwrap(),
            is("mail", Comparison::Equal(text("o'brien@x.com")))
        );
        assert_eq!(
            ODataFilter::parse("a eq 'x' or b ne null and not (c eq true)").unwrap(),
            ODataFilter::Or(vec![
                is("a", Comparison::Equal(text("x"))),
                ODataFilter::And(vec![
                    is("b", Comparison::NotEqual(Literal::Null)),
                    ODataFilter::Not(Box::new(is("c", Comparison::Equal(Literal::Flag(true))))),
                ]),
            ]),
            "and binds closer"
        );
        assert_eq!(
            ODataFilter::parse("d in ('x', 'y')").unwrap(),
            is("d", Comparison::In(vec![text("x"), text("y")]))
        );
        assert_eq!(
            ODataFilter::parse("otherMails/any(x:x eq 'a' or endsWith(x, 'b'))").unwrap(),
            ODataFilter::Any {
                property: "otherMails".into(),
                item_filter: Box::new(ODataFilter::Or(vec![
                    is("x", Comparison::Equal(text("a"))),
                    is("x", Comparison::EndsWith("b".into())),
                ])),
            }
        );
    }

    #[test]
    fn broken_filters_are_refused() {
        for filter in [
            "",
            "mail",
            "mail eq",
            "mail eq ann",
            "mail eq 'ann",
            "mail like 'a'",
            "mail eq 'a' or",
            "(mail eq 'a'",
            "mail eq 'a' mail eq 'b'",
            "userPrincipalName eq 'a_b",
            "startsWith(mail 'a')",
            "startsWith(mail,true)",
            "d in ()",
            "x/all(y:y eq 'a')",
            "x/any(y:z eq 'a')",
            "x/any(y:y/any(z:z eq 'a'))",
            "a # b",
            "mail eq \"a\"",
        ] {
            let error = ODataFilter::parse(filter).unwrap_err();
            assert_eq!((error.status.as_u16(), error.code.as_str()), (400, "Request_BadRequest"), "{filter}");
        }
        assert!(ODataFilter::parse(&"(".repeat(10_000)).is_err(), "too deep");
        assert!(ODataFilter::parse(&"not ".repeat(10_000)).is_err(), "too deep");
    }

    proptest! {
        #[test]
        fn no_text_panics(filter in "\\PC{0,60}") {
            let _ = ODataFilter::parse(&filter);
        }

        #[test]
        fn no_text_resembling_a_filter_panics(
            tokens in prop::collection::vec(prop::sample::select(vec![
                "(", ")", "not", "and", "or", "eq", "ne", "in", "mail", "'a'", "''", "'", ",", "/", "any", ":", "x",
                "true", "null", "startsWith", "endsWith", "-", "#",
            ]), 0..25),
        ) {
            let _ = ODataFilter::parse(&tokens.join(" "));
        }

        #[test]
        fn any_text_can_be_quoted(text in "\\PC{0,30}") {
            let filter = ODataFilter::parse(&format!("mail eq '{}'", text.replace('\'', "''"))).unwrap();
            let wanted = Comparison::Equal(Literal::Text(text.to_lowercase()));
            prop_assert_eq!(filter, ODataFilter::Compare { property: "mail".into(), comparison: wanted });
        }
    }
}
