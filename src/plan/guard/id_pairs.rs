//! Pairs of an object ID and a user principal name that the lists give for one account.

use std::collections::HashMap;

use super::GuardError;
use crate::text::sanitize::sanitize_truncated;
use crate::user_id::UserId;

/// Pairs of an object ID and a user principal name, as the lists give them. An account has one of each, so an
/// ID that is paired with two of the other kind shows that the pairs can't be trusted.
#[derive(Debug, Default)]
pub(super) struct IdPairs {
    /// For each ID, the other ID of its pair and the index of its location.
    paired: HashMap<UserId, (UserId, usize)>,
    locations: Vec<String>,
}

impl IdPairs {
    /// Adds the IDs of an account, if they are such a pair.
    ///
    /// # Errors
    /// When one of them is paired with another ID elsewhere.
    pub(super) fn add_pair(
        &mut self,
        list: &'static str,
        ids: &[UserId],
        location: &str,
    ) -> Result<(), GuardError> {
        let (object, name) = match ids {
            [object @ UserId::Object(_), name @ UserId::Principal(_)]
            | [name @ UserId::Principal(_), object @ UserId::Object(_)] => (object, name),
            _ => return Ok(()),
        };
        let two_objects = "one user principal name has two object IDs";
        let two_names = "one object ID has two user principal names";
        for (id, other, what) in [(name, object, two_objects), (object, name, two_names)] {
            let Some((known, at)) = self.paired.get(id) else { continue };
            if known != other {
                let first = self.locations.get(*at).map_or("", String::as_str);
                let (first, second) = (sanitize_truncated(first, 200), sanitize_truncated(location, 200));
                return Err(GuardError::ConflictingPairs { list, what, first, second });
            }
        }
        if !self.paired.contains_key(name) {
            let at = self.locations.len();
            self.locations.push(location.to_owned());
            self.paired.insert(object.clone(), (name.clone(), at));
            self.paired.insert(name.clone(), (object.clone(), at));
        }
        Ok(())
    }
}
