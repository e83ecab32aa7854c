//! Whom a selector names, page by page.

use super::{Directory, DirectoryError, Person, Selector};

/// The users of a selector.
#[derive(Debug)]
pub struct People {
    name: String,
}

impl Directory {
    /// Begins to read whom a selector names: the group or role itself is looked up first.
    ///
    /// # Errors
    /// When there is no such thing, its name is ambiguous, or a permission is missing.
    pub async fn people(&self, selector: &Selector) -> Result<People, DirectoryError> {
        Ok(People { name: selector.to_string() })
    }
}

impl People {
    /// What was found, in words, with name and id: `group Finance (0785ef7c-…)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next users; one may come again on a later page, and a page may hold nobody. `None` behind the last one.
    ///
    /// # Errors
    /// When a page can't be read: then what came before must not be acted upon, because users are missing.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Person>>, DirectoryError> {
        Ok(None)
    }
}
