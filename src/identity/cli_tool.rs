//! Whoever is signed in to the Azure CLI or the Azure Developer CLI.

use super::choice::{Found, Variables};
use super::{Auth, Offer, SignInError};

pub(super) fn find(_auth: Auth, _offer: &Offer, _vars: Variables<'_>) -> Result<Found, SignInError> {
    Ok(Found::not("not set up"))
}
