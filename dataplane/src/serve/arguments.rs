//! The command line, and how file, environment and flags become one configuration: a flag beats the environment, the
//! environment beats the file, the file beats the default.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use grepzilla_api::config::{ConfigError, NodeConfig};
use grepzilla_api::contract;
use grepzilla_model::NodeName;

use crate::logging::LogFormat;

/// Finds any substring, wildcard or regular expression in logs and JSON documents.
///
/// Documents are durable when the write is acknowledged, and searchable at once.
#[derive(Debug, Parser)]
#[command(name = "grepzilla", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a node.
    ///
    /// Without a configuration file, or with one that has no `cluster`, the node is alone: it needs neither etcd nor
    /// Kubernetes and keeps everything under DIR. With `cluster` it joins the nodes that share its root in etcd.
    #[command(after_long_help = SERVE_HELP)]
    Serve(ServeArguments),
}

const SERVE_HELP: &str = r#"Try it:
  grepzilla serve --data /tmp/gz --listen 127.0.0.1:7300
  curl -s --json '[{"text":"connection timed out"}]' localhost:7300/ingest
  curl -s --json '{"wildcard":"time*out"}' localhost:7300/search

When it is ready it prints one line on stdout, {"listening":"IP:PORT"}.
Its log goes to stderr; GREPZILLA_LOG filters it, for example grepzilla=debug.
SIGTERM finishes what runs and exits 0; a second signal exits at once."#;

/// The flags of `serve`.
#[derive(Debug, Default, Args)]
pub struct ServeArguments {
    /// The folder for everything that must survive; made if it is not there. One process at a time may use it.
    #[arg(long, value_name = "DIR", env = "GREPZILLA_DATA", required_unless_present = "config")]
    pub data: Option<PathBuf>,
    /// Where the HTTP API listens; port 0 takes a free one [default: 0.0.0.0:7300].
    #[arg(long, value_name = "ADDR", env = "GREPZILLA_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Where the peer port listens, in a cluster only [default: 0.0.0.0:7301].
    #[arg(long, value_name = "ADDR", env = "GREPZILLA_PEER_LISTEN")]
    pub peer_listen: Option<SocketAddr>,
    /// Shards of a node that is alone; fixed when DIR is made [default: 2].
    #[arg(long, value_name = "N", env = "GREPZILLA_SHARDS")]
    pub shards: Option<u32>,
    /// The configuration file, YAML. Every field has a default.
    #[arg(long, value_name = "FILE", env = "GREPZILLA_CONFIG")]
    pub config: Option<PathBuf>,
    /// The node's name in the ring; needed in a cluster.
    #[arg(long, value_name = "NAME", env = contract::ENV_NODE_NAME)]
    pub node_name: Option<String>,
    /// The address at which other nodes reach this one, without a port; needed in a cluster.
    #[arg(long, value_name = "IP", env = contract::ENV_ADVERTISE)]
    pub advertise: Option<String>,
    /// How log lines look.
    #[arg(long, value_name = "FORMAT", env = "GREPZILLA_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct Startup {
    /// File, environment and flags in one.
    pub config: NodeConfig,
    /// The node's name, where one was given.
    pub node_name: Option<NodeName>,
    /// The node's address for others, where one was given.
    pub advertise: Option<String>,
}

impl ServeArguments {
    /// Composes and checks the configuration.
    pub fn into_startup(self) -> Result<Startup, ConfigError> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(NodeConfig::default()), NodeConfig::load)?;
        config.data = self.data.unwrap_or(config.data);
        config.listen = self.listen.unwrap_or(config.listen);
        config.peer_listen = self.peer_listen.unwrap_or(config.peer_listen);
        config.shards = self.shards.unwrap_or(config.shards);
        config.validate()?;
        Ok(Startup { config, node_name: self.node_name.as_deref().map(NodeName::from), advertise: self.advertise })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn serve_needs_a_folder_or_a_configuration() {
        let refused = Arguments::try_parse_from(["grepzilla", "serve"]).expect_err("neither").to_string();
        assert!(refused.contains("--data <DIR>"), "{refused}");
        assert!(Arguments::try_parse_from(["grepzilla", "serve", "--data", "d"]).is_ok());
        assert!(Arguments::try_parse_from(["grepzilla", "serve", "--config", "f"]).is_ok());
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_beats_the_default() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "shards: 5\nlisten: 127.0.0.1:1\n").expect("writes");
        let flags = ServeArguments { config: Some(file.path().to_owned()), shards: Some(7), ..Default::default() };
        let config = flags.into_startup().expect("valid").config;
        assert_eq!((config.shards, config.listen.port()), (7, 1));
        assert_eq!(config.data, NodeConfig::default().data);
    }

    #[test]
    fn a_flag_out_of_range_is_refused_by_name() {
        let flags = ServeArguments { shards: Some(0), ..Default::default() };
        let error = flags.into_startup().expect_err("no shards").to_string();
        assert!(error.contains("shards is 0"), "{error}");
    }
}
