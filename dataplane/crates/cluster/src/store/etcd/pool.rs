//! The members of one etcd, of which one is used until it fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::failure::Failure;
use super::version::Version;
use super::{EtcdOptions, StoreError};

/// How often a connection is tested while requests are under way, and how long the test may take. etcd throws out
/// clients that test more often than every 5 s, or while nothing is under way.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// All members.
pub(super) struct Pool {
    options: EtcdOptions,
    members: Vec<Member>,
    current: AtomicUsize,
}

struct Member {
    endpoint: String,
    contact: Mutex<Option<Contact>>,
}

/// A member whose version was checked. Clones share the connection.
#[derive(Clone)]
pub(super) struct Contact {
    pub(super) client: Client,
    /// Whether a report of progress means that everything before it has been delivered.
    pub(super) reports_progress: bool,
    member: usize,
    /// Tells this connection from the next one to the same member.
    connection: u64,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("options", &self.options).field("current", &self.current).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(options: EtcdOptions) -> Result<Pool, StoreError> {
        let refused = |reason: String| Err(StoreError::Refused { reason });
        if options.endpoints.is_empty() {
            return refused("etcd has no endpoints".to_owned());
        }
        // TLS to etcd is not there yet, so https is refused rather than trusted by halves.
        if let Some(bad) = options.endpoints.iter().find(|endpoint| !endpoint.starts_with("http://")) {
            return refused(format!("an endpoint of etcd is http://HOST:PORT, not {bad}"));
        }
        let member = |endpoint: &String| Member { endpoint: endpoint.clone(), contact: Mutex::new(None) };
        let members: Vec<Member> = options.endpoints.iter().map(member).collect();
        // Many nodes with one configuration begin with different members.
        let current = AtomicUsize::new(rand::random_range(0..members.len()));
        Ok(Pool { options, members, current })
    }

    /// How many members there are. At least one.
    pub(super) fn size(&self) -> usize {
        self.members.len()
    }

    /// How long one member has for one call.
    pub(super) fn call_timeout(&self) -> Duration {
        self.options.call_timeout
    }

    /// Calls the current member once. If it fails, the next call goes to the next member.
    pub(super) async fn call<'a, R>(
        &self,
        call: impl Fn(Client) -> BoxFuture<'a, Result<R, etcd_client::Error>>,
    ) -> Result<R, Failure> {
        let contact = self.contact().await?;
        let failure = match timeout(self.options.call_timeout, call(contact.client.clone())).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::of(&error),
            Err(_) => Failure::Lost(format!("no answer in {:?}", self.options.call_timeout)),
        };
        // A refusal is the answer of a member in good order, unless it is our token that is not.
        let in_order = match &failure {
            Failure::NoLease(_) => true,
            Failure::Refused(_) => self.options.credentials.is_none(),
            Failure::NotDone(_) | Failure::Lost(_) => false,
        };
        if !in_order {
            self.leave(&contact).await;
        }
        Err(self.named(contact.member, failure))
    }

    /// The current member, connected and checked. What fails here was never sent.
    pub(super) async fn contact(&self) -> Result<Contact, Failure> {
        let member = self.current.load(Ordering::Relaxed) % self.members.len();
        let mut contact = self.members[member].contact.lock().await;
        if let Some(contact) = &*contact {
            return Ok(contact.clone());
        }
        match self.connect(member).await {
            Ok(fresh) => Ok(contact.insert(fresh).clone()),
            Err(failure) => {
                self.turn_from(member);
                let failure = match failure {
                    Failure::Lost(reason) => Failure::NotDone(reason),
                    other => other,
                };
                Err(self.named(member, failure))
            }
        }
    }

    /// Gives a contact up after it has failed: the next call connects anew, to the next member.
    pub(super) async fn leave(&self, contact: &Contact) {
        let mut held = self.members[contact.member].contact.lock().await;
        // Somebody else may have connected anew already.
        if held.as_ref().is_some_and(|held| held.connection == contact.connection) {
            *held = None;
        }
        drop(held);
        self.turn_from(contact.member);
    }

    fn turn_from(&self, member: usize) {
        let next = (member + 1) % self.members.len();
        // Somebody else may have turned already; then there is nothing to do.
        let _ = self.current.compare_exchange(member, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    async fn connect(&self, member: usize) -> Result<Contact, Failure> {
        let limit = self.options.call_timeout;
        let connecting = async {
            let endpoint = self.members[member].endpoint.as_str();
            let mut client = Client::connect([endpoint], Some(self.connect_options())).await?;
            let version = client.status().await?.version().to_owned();
            Ok((client, version))
        };
        let (client, version) = match timeout(limit, connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(Failure::of(&error)),
            Err(_) => return Err(Failure::NotDone(format!("no answer in {limit:?}"))),
        };
        let judged = Version::judge(&version);
        let reports_progress = judged.is_ok();
        if let (Err(reason), false) = (judged, self.options.allow_unsound_versions) {
            return Err(Failure::Refused(reason));
        }
        Ok(Contact { client, reports_progress, member, connection: rand::random() })
    }

    fn connect_options(&self) -> ConnectOptions {
        let options = ConnectOptions::new()
            .with_connect_timeout(self.options.connect_timeout)
            .with_keep_alive(PING_EVERY, PING_TIMEOUT)
            .with_keep_alive_while_idle(false)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        match &self.options.credentials {
            Some(credentials) => options.with_user(&credentials.user, &credentials.password),
            None => options,
        }
    }

    fn named(&self, member: usize, failure: Failure) -> Failure {
        let name = |reason: String| format!("etcd at {}: {reason}", self.members[member].endpoint);
        match failure {
            Failure::NotDone(reason) => Failure::NotDone(name(reason)),
            Failure::Lost(reason) => Failure::Lost(name(reason)),
            Failure::NoLease(reason) => Failure::NoLease(name(reason)),
            Failure::Refused(reason) => Failure::Refused(name(reason)),
        }
    }
}
