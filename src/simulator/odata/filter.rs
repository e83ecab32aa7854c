//! `$filter`: and, or, not, parentheses, eq, ne, in, startsWith, endsWith, and `any` over lists.

use super::words::{Word, invalid, split};
use crate::simulator::answer::GraphError;

/// How deep parentheses and `not` may nest.
const DEPTH: usize = 50;

/// A filter, read but not yet checked against what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Is {
        property: String,
        is: Is,
    },
    /// Some item of a list is so.
    Any {
        property: String,
        is: Box<Filter>,
    },
}

/// What one property is to be. Texts are in lower case: the directory doesn't tell them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) enum Is {
    Equal(Literal),
    Other(Literal),
    In(Vec<Literal>),
    Begins(String),
    Ends(String),
}

/// A value in a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) enum Literal {
    Text(String),
    Flag(bool),
    Null,
}

impl Filter {
    /// Reads a filter.
    pub(in crate::simulator) fn read(text: &str) -> Result<Filter, GraphError> {
        let mut reader = Reader { words: split(text)?, at: 0, depth: 0, item: None };
        let filter = reader.any_of()?;
        match reader.next() {
            None => Ok(filter),
            Some(_) => Err(invalid("Syntax error: there is something behind its end.")),
        }
    }
}

struct Reader {
    words: Vec<Word>,
    at: usize,
    depth: usize,
    /// The name that an item of a list goes by, within `any`.
    item: Option<String>,
}

impl Reader {
    fn any_of(&mut self) -> Result<Filter, GraphError> {
        let mut parts = vec![self.all_of()?];
        while self.skip_name("or") {
            parts.push(self.all_of()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn all_of(&mut self) -> Result<Filter, GraphError> {
        let mut parts = vec![self.one()?];
        while self.skip_name("and") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn one(&mut self) -> Result<Filter, GraphError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(invalid("The node count limit has been exceeded."));
        }
        let filter = self.one_of_depth();
        self.depth -= 1;
        filter
    }

    fn one_of_depth(&mut self) -> Result<Filter, GraphError> {
        if self.skip_name("not") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        if self.skip('(') {
            let inner = self.any_of()?;
            self.expect(')')?;
            return Ok(inner);
        }
        let name = self.name()?;
        for (function, is) in
            [("startswith", Is::Begins as fn(String) -> Is), ("endswith", Is::Ends as fn(String) -> Is)]
        {
            if name.eq_ignore_ascii_case(function) && self.skip('(') {
                let property = self.name()?;
                self.expect(',')?;
                let text = self.text()?;
                self.expect(')')?;
                return self.about(property, is(text));
            }
        }
        if self.skip('/') {
            return self.list(name);
        }
        self.comparison(name)
    }

    fn comparison(&mut self, property: String) -> Result<Filter, GraphError> {
        let operator = self.name()?.to_lowercase();
        let is = match operator.as_str() {
            "eq" => Is::Equal(self.literal()?),
            "ne" => Is::Other(self.literal()?),
            "in" => {
                self.expect('(')?;
                let mut values = vec![self.literal()?];
                while self.skip(',') {
                    values.push(self.literal()?);
                }
                self.expect(')')?;
                Is::In(values)
            }
            other => return Err(invalid(&format!("Syntax error: '{other}' is no operator here."))),
        };
        self.about(property, is)
    }

    /// Within `any` there is nothing but the item.
    fn about(&self, property: String, is: Is) -> Result<Filter, GraphError> {
        match &self.item {
            Some(item) if *item != property => {
                Err(invalid(&format!("Could not find a range variable named '{property}'.")))
            }
            _ => Ok(Filter::Is { property, is }),
        }
    }

    /// `any(x:x eq '…')`, behind the slash.
    fn list(&mut self, property: String) -> Result<Filter, GraphError> {
        if self.item.is_some() || !self.skip_name("any") {
            return Err(invalid("Syntax error: only 'any' can follow a slash, and only once."));
        }
        self.expect('(')?;
        let item = self.name()?;
        self.expect(':')?;
        self.item = Some(item);
        let is = self.any_of();
        self.item = None;
        let is = Box::new(is?);
        self.expect(')')?;
        Ok(Filter::Any { property, is })
    }

    fn literal(&mut self) -> Result<Literal, GraphError> {
        match self.next() {
            Some(Word::Text(text)) => Ok(Literal::Text(text.to_lowercase())),
            Some(Word::Name(name)) => match name.as_str() {
                "true" => Ok(Literal::Flag(true)),
                "false" => Ok(Literal::Flag(false)),
                "null" => Ok(Literal::Null),
                // A GUID may stand bare.
                name if uuid::Uuid::try_parse(name).is_ok() => Ok(Literal::Text(name.to_lowercase())),
                name => Err(invalid(&format!("'{name}' is no value."))),
            },
            _ => Err(invalid("Syntax error: a value is missing.")),
        }
    }

    fn text(&mut self) -> Result<String, GraphError> {
        match self.literal()? {
            Literal::Text(text) => Ok(text),
            _ => Err(invalid("No function signature matches: a text is wanted.")),
        }
    }

    fn name(&mut self) -> Result<String, GraphError> {
        match self.next() {
            Some(Word::Name(name)) => Ok(name),
            _ => Err(invalid("Syntax error: a name is missing.")),
        }
    }

    fn next(&mut self) -> Option<Word> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    fn skip(&mut self, mark: char) -> bool {
        let is = matches!(self.words.get(self.at), Some(Word::Mark(other)) if *other == mark);
        self.at += usize::from(is);
        is
    }

    fn skip_name(&mut self, wanted: &str) -> bool {
        let is =
            matches!(self.words.get(self.at), Some(Word::Name(name)) if name.eq_ignore_ascii_case(wanted));
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, mark: char) -> Result<(), GraphError> {
        if self.skip(mark) { Ok(()) } else { Err(invalid(&format!("Syntax error: '{mark}' expected."))) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_the_directory_takes() {
        let is = |property: &str, is| Filter::Is { property: property.into(), is };
        let text = |text: &str| Literal::Text(text.into());
        assert_eq!(
            Filter::read("mail eq 'O''Brien@X.com'").unwrap(),
            is("mail", Is::Equal(text("o'brien@x.com")))
        );
        assert_eq!(
            Filter::read("a eq 'x' or b ne null and not (c eq true)").unwrap(),
            Filter::Or(vec![
                is("a", Is::Equal(text("x"))),
                Filter::And(vec![
                    is("b", Is::Other(Literal::Null)),
                    Filter::Not(Box::new(is("c", Is::Equal(Literal::Flag(true))))),
                ]),
            ]),
            "and binds closer"
        );
        assert_eq!(Filter::read("d in ('x', 'y')").unwrap(), is("d", Is::In(vec![text("x"), text("y")])));
        assert_eq!(
            Filter::read("otherMails/any(x:x eq 'a' or endsWith(x, 'b'))").unwrap(),
            Filter::Any {
                property: "otherMails".into(),
                is: Box::new(Filter::Or(vec![is("x", Is::Equal(text("a"))), is("x", Is::Ends("b".into())),])),
            }
        );
    }

    #[test]
    fn refuses_what_is_broken() {
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
            let error = Filter::read(filter).unwrap_err();
            assert_eq!((error.status.as_u16(), error.code.as_str()), (400, "Request_BadRequest"), "{filter}");
        }
        assert!(Filter::read(&"(".repeat(10_000)).is_err(), "too deep");
        assert!(Filter::read(&"not ".repeat(10_000)).is_err(), "too deep");
    }

    proptest! {
        #[test]
        fn nothing_panics(filter in "\\PC{0,60}") {
            let _ = Filter::read(&filter);
        }

        #[test]
        fn nothing_that_looks_like_one_panics(
            words in prop::collection::vec(prop::sample::select(vec![
                "(", ")", "not", "and", "or", "eq", "ne", "in", "mail", "'a'", "''", "'", ",", "/", "any", ":", "x",
                "true", "null", "startsWith", "endsWith", "-", "#",
            ]), 0..25),
        ) {
            let _ = Filter::read(&words.join(" "));
        }

        #[test]
        fn any_text_can_be_quoted(text in "\\PC{0,30}") {
            let filter = Filter::read(&format!("mail eq '{}'", text.replace('\'', "''"))).unwrap();
            let wanted = Is::Equal(Literal::Text(text.to_lowercase()));
            prop_assert_eq!(filter, Filter::Is { property: "mail".into(), is: wanted });
        }
    }
}
