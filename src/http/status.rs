//! What a status says by itself, whoever gave it.

/// Whether a server could not be reached by what stands before it, or answered it nothing that makes sense: 502 to 504,
/// and what Cloudflare says instead: 520 to 527, and 530 where it can't find the server
/// (developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors).
pub fn is_of_a_gateway(status: u16) -> bool {
    matches!(status, 502..=504 | 520..=527 | 530)
}

/// Whether a status says that something failed which may pass. The request may have been carried out.
pub fn passes(status: u16) -> bool {
    matches!(status, 408 | 500 | 507 | 509) || is_of_a_gateway(status)
}
