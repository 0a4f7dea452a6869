//! Nodes speaking to each other: the client, the handshake that both sides insist on, and what the peer port answers.

mod client;
mod handshake;
mod serve;

pub(crate) use client::{PeerClient, PeerFailure};
pub(crate) use handshake::require_handshake;
pub(crate) use serve::{append, hello, look_up, search};

#[cfg(test)]
mod tests;
