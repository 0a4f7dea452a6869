//! How much a node takes in at once, and from when on it says no.

use serde::{Deserialize, Serialize};

use super::{ConfigError, IngestConfig, within};

/// What a node takes in. Beyond a soft mark clients get 429, beyond a hard one nothing is written, for other nodes neither:
/// 503, or 507 where the disk is full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdmissionConfig {
    /// What clients may send to this node. Default: any amount.
    pub rate: RateConfig,
    /// Bytes of the bodies of all requests at once, decompressed, from the first byte read until the answer: four
    /// times `ingest.body_bytes_max` to 1 TiB. More get 503. In a cluster one half is for what other nodes send. A request
    /// takes about three times its body while it is written. Default 256 MiB.
    pub in_flight_bytes_max: u64,
    /// Bytes of memory of the hot tiers of the shards led here, soft mark: 1 MiB or more. At half of it the largest hot tier is
    /// flushed, however small it is. Default 512 MiB: the half is four shards that are full (`storage.flush_bytes`), and the
    /// other half takes what arrives at full speed in the seconds that flushing them takes.
    pub hot_soft_bytes: u64,
    /// The hard mark: not below the soft one. Default 768 MiB.
    pub hot_hard_bytes: u64,
    /// Bytes that must be free on the file system of the data folder, soft mark; 0: none. Default 256 MiB.
    pub disk_soft_free_bytes: u64,
    /// The hard mark: not above the soft one; 0: none. Default 64 MiB.
    pub disk_hard_free_bytes: u64,
}

/// How much may come, steadily. A pause is made up for by at most one second's worth at once; a request that is larger
/// than that is taken and waited for afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateConfig {
    /// Bytes of bodies, decompressed, in a second: 1 KiB to 1 TiB. Default: any amount.
    pub bytes_per_second: Option<u64>,
    /// Requests in a second: 1 to 1,000,000. Default: any number.
    pub requests_per_second: Option<u64>,
}

impl Default for AdmissionConfig {
    fn default() -> AdmissionConfig {
        AdmissionConfig {
            rate: RateConfig::default(),
            in_flight_bytes_max: 256 << 20,
            hot_soft_bytes: 512 << 20,
            hot_hard_bytes: 768 << 20,
            disk_soft_free_bytes: 256 << 20,
            disk_hard_free_bytes: 64 << 20,
        }
    }
}

impl AdmissionConfig {
    /// Checks every bound and the order of the marks.
    pub(super) fn validate(&self, ingest: &IngestConfig) -> Result<(), ConfigError> {
        self.rate.validate("admission.rate")?;
        within("admission.in_flight_bytes_max", self.in_flight_bytes_max, 4 * ingest.body_bytes_max, 1 << 40)?;
        within("admission.hot_soft_bytes", self.hot_soft_bytes, 1 << 20, u64::MAX)?;
        within("admission.hot_hard_bytes", self.hot_hard_bytes, self.hot_soft_bytes, u64::MAX)?;
        within("admission.disk_hard_free_bytes", self.disk_hard_free_bytes, 0, self.disk_soft_free_bytes)
    }
}

impl RateConfig {
    /// Checks every bound. `at` is where it stands.
    pub(super) fn validate(&self, at: &str) -> Result<(), ConfigError> {
        let within = |field: &str, found: Option<u64>, min, max| {
            found.map_or(Ok(()), |found| within(&format!("{at}.{field}"), found, min, max))
        };
        within("bytes_per_second", self.bytes_per_second, 1 << 10, 1 << 40)?;
        within("requests_per_second", self.requests_per_second, 1, 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::super::NodeConfig;

    #[test]
    fn marks_stand_in_order_and_every_figure_has_two_sides() {
        for (good, bad, named) in [
            ("{in_flight_bytes_max: 33554432}", "{in_flight_bytes_max: 33554431}", "admission.in_flight_bytes_max"),
            ("{hot_soft_bytes: 1048576}", "{hot_soft_bytes: 1048575}", "admission.hot_soft_bytes"),
            (
                "{hot_soft_bytes: 2000000, hot_hard_bytes: 2000000}",
                "{hot_soft_bytes: 2000000, hot_hard_bytes: 1999999}",
                "admission.hot_hard_bytes",
            ),
            (
                "{disk_soft_free_bytes: 5, disk_hard_free_bytes: 5}",
                "{disk_soft_free_bytes: 5, disk_hard_free_bytes: 6}",
                "admission.disk_hard_free_bytes",
            ),
            ("{rate: {requests_per_second: 1000000}}", "{rate: {requests_per_second: 1000001}}", "admission.rate"),
            ("{rate: {bytes_per_second: 1024}}", "{rate: {bytes_per_second: 1}}", "admission.rate.bytes_per_second"),
            ("{}", "{hot_soft_byte: 5}", "hot_soft_byte"),
        ] {
            let parse = |text: &str| NodeConfig::parse(&format!("admission: {text}"));
            assert!(parse(good).is_ok(), "{good}: {:?}", parse(good));
            let said = parse(bad).expect_err("refused").to_string();
            assert!(said.contains(named), "{bad}: {said}");
        }
    }
}
