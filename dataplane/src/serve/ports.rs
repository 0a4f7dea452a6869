//! The sockets of a node, bound before anything else is known, so that health can be asked from the first moment.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use grepzilla_api::config::NodeConfig;
use tokio::net::TcpListener;

/// The bound sockets.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) http: TcpListener,
    /// Only in a cluster.
    pub(super) peer: Option<TcpListener>,
}

/// Where other nodes reach this one, each `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) api: String,
    pub(crate) peer: String,
}

impl Ports {
    pub(super) async fn bind(config: &NodeConfig) -> anyhow::Result<Ports> {
        let http = listen(config.listen).await?;
        let peer = match config.cluster {
            Some(_) => Some(listen(config.peer_listen).await?),
            None => None,
        };
        Ok(Ports { http, peer })
    }

    /// Where the HTTP API really listens: the port is never 0.
    pub(super) fn listening(&self) -> anyhow::Result<SocketAddr> {
        self.http.local_addr().context("asking for the address of the HTTP port")
    }

    /// Where the peer port really listens.
    pub(super) fn peer_listening(&self) -> anyhow::Result<Option<SocketAddr>> {
        let address = self.peer.as_ref().map(TcpListener::local_addr).transpose();
        address.context("asking for the address of the peer port")
    }

    /// The addresses that others are told. A node that is alone has no peer port; nobody reads its peer address.
    pub(super) fn advertised(&self, host: &str) -> anyhow::Result<Addresses> {
        let peer = self.peer_listening()?.map_or(0, |address| address.port());
        Ok(Addresses { api: join(host, self.listening()?.port()), peer: join(host, peer) })
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

fn join(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, port).to_string(),
        Err(_) => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_others_is_well_formed_for_every_kind_of_host() {
        let joined = ["10.0.0.7", "fd00::7", "logs-0.logs"].map(|host| join(host, 7301));
        assert_eq!(joined, ["10.0.0.7:7301", "[fd00::7]:7301", "logs-0.logs:7301"]);
    }
}
