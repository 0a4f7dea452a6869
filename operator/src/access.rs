//! Every right that the operator uses, in one list. The chart's ClusterRole and Role must say the same: no less, or the
//! operator fails; no more, or a stolen token is worth more than it need be.

/// Where a right holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In every namespace with clusters.
    Clusters,
    /// On objects that have no namespace.
    Global,
    /// In the operator's own namespace.
    Own,
}

/// A right: what may be done to which resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// Where.
    pub scope: Scope,
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The resource, with subresource.
    pub resource: &'static str,
    /// The verbs.
    pub verbs: &'static [&'static str],
}

const fn right(scope: Scope, group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Right {
    Right { scope, group, resource, verbs }
}

/// Read by `observe`, watched by `triggers`, written by `apply` (server-side apply needs create and patch).
const APPLIED: &[&str] = &["get", "list", "watch", "create", "patch"];

/// The list.
pub const RIGHTS: &[Right] = &[
    right(Scope::Clusters, "grepzilla.io", "grepzillaclusters", &["get", "list", "watch"]),
    right(Scope::Clusters, "grepzilla.io", "grepzillaclusters/status", &["patch"]),
    // Owner references that block their owner's deletion ask for it where that admission plugin is on.
    right(Scope::Clusters, "grepzilla.io", "grepzillaclusters/finalizers", &["update"]),
    right(Scope::Clusters, "", "configmaps", APPLIED),
    right(Scope::Clusters, "", "serviceaccounts", APPLIED),
    right(Scope::Clusters, "", "services", APPLIED),
    right(Scope::Clusters, "policy", "poddisruptionbudgets", APPLIED),
    // Deleted without its pods when volumes grow.
    right(Scope::Clusters, "apps", "statefulsets", &["get", "list", "watch", "create", "patch", "delete"]),
    // Made once, looked at by name; never listed.
    right(Scope::Clusters, "", "secrets", &["get", "create"]),
    right(Scope::Clusters, "", "persistentvolumeclaims", &["list", "patch"]),
    // Deleted one at a time when their template changes.
    right(Scope::Clusters, "", "pods", &["list", "watch", "delete"]),
    // For zones.
    right(Scope::Global, "", "nodes", &["get"]),
    // For whether volumes can grow.
    right(Scope::Global, "storage.k8s.io", "storageclasses", &["get"]),
    right(Scope::Own, "coordination.k8s.io", "leases", &["get", "create", "update"]),
];
