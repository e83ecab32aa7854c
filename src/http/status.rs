//! What an HTTP status means, whichever server sent it.

/// Whether a gateway or a proxy could not reach the server, or got no valid answer from it: 502 to 504, and
/// Cloudflare's own 520 to 527 and 530
/// (developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors).
pub fn is_gateway_error(status: u16) -> bool {
    matches!(status, 502..=504 | 520..=527 | 530)
}

/// Whether a status reports a failure that may pass. The request may have been carried out.
pub fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 500 | 507 | 509) || is_gateway_error(status)
}
