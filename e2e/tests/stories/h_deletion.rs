//! Deletion leaves nothing but the volumes; applying again brings the data back.

use anyhow::{Result, ensure};
use grepzilla_e2e::gateway::{Gateway, total};
use grepzilla_e2e::needles::forty;
use grepzilla_e2e::wait::until;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, ListParams};
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;

use crate::world::{NAMESPACE, SAMPLE, WELL_AGAIN, World};

#[tokio::test]
async fn volumes_stay_and_are_adopted_again() -> Result<()> {
    let (world, gateway, sample) = World::with_documents().await?;
    let needles: Vec<_> = forty().into_iter().step_by(5).collect();
    let volumes = named::<PersistentVolumeClaim>(&world).await?;
    ensure!(volumes.len() >= 3, "the volumes are {volumes:?}");
    drop(gateway);

    world.logs.delete().await?;
    until("only the volumes to be left", WELL_AGAIN, async || {
        let left = leftovers(&world).await?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(Some(()))
    })
    .await?;
    ensure!(named::<PersistentVolumeClaim>(&world).await? == volumes, "volumes went with the cluster");

    let (_, gateway) = World::with_logs().await?;
    let gateway: Gateway = gateway;
    ensure!(gateway.documents(SAMPLE).await? == sample.lines.len() as u64, "documents were lost by deletion");
    for needle in needles {
        let found = total(&gateway.search_whole(&needle.request()).await?)?;
        ensure!(found == sample.count(&needle)?, "{needle}: {found} after the volumes were adopted again");
    }
    Ok(())
}

/// Names of the objects of one kind that belong to the cluster.
async fn named<K>(world: &World) -> Result<Vec<String>>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let objects: Api<K> = Api::namespaced(world.kind.client.clone(), NAMESPACE);
    let found = objects.list(&ListParams::default().labels("app.kubernetes.io/instance=logs")).await?;
    Ok(found
        .items
        .iter()
        .map(|object| format!("{}/{}", K::kind(&()), object.meta().name.clone().unwrap_or_default()))
        .collect())
}

async fn leftovers(world: &World) -> Result<Vec<String>> {
    let mut left = named::<Pod>(world).await?;
    left.extend(named::<StatefulSet>(world).await?);
    left.extend(named::<Service>(world).await?);
    left.extend(named::<ConfigMap>(world).await?);
    left.extend(named::<Secret>(world).await?);
    left.extend(named::<ServiceAccount>(world).await?);
    left.extend(named::<PodDisruptionBudget>(world).await?);
    Ok(left)
}
