//! A person signs in with a browser anywhere.

use super::choice::{Found, Variables};
use super::{Offer, SignInError};

pub(super) fn find(_offer: &Offer, _vars: Variables<'_>) -> Result<Found, SignInError> {
    Ok(Found::not("not set up"))
}
