//! What KEDA adds: as many workers as events wait.

use runtime::Manifest;
use serde_json::{Value, json};

use super::{CONSUMER, Cluster, PART_OF, Queues, about, job};

/// By which it asks SQS.
const OF_QUEUES: &str = "carnet-queues";
/// Events that one worker is to have before it.
const EACH: &str = "32";

/// How KEDA signs in to what it asks: to the database with the functions' own URL, to SQS with their key.
pub(super) fn sign_ins(cluster: &Cluster) -> Vec<Value> {
    let with = |name: &str, parameters: &[(&str, &str)]| {
        let of = |(parameter, key): &(&str, &str)| json!({"parameter": parameter, "name": PART_OF, "key": key});
        json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": about(name),
            "spec": {"secretTargetRef": parameters.iter().map(of).collect::<Vec<_>>()},
        })
    };
    let mut all = vec![with(PART_OF, &[("connection", "DATABASE_URL")])];
    if cluster.queues.is_some() {
        let key = [("awsAccessKeyID", "AWS_ACCESS_KEY_ID"), ("awsSecretAccessKey", "AWS_SECRET_ACCESS_KEY")];
        all.push(with(OF_QUEUES, &key));
    }
    all
}

/// What is due for a consumer, or for all.
fn due(consumer: Option<&str>) -> String {
    let whose = consumer.map(|name| format!(" and consumer = '{name}'")).unwrap_or_default();
    format!("select count(*) from delivery where state = 'waiting' and next_attempt_at <= now(){whose}")
}

/// As many workers as there are events for them.
pub(super) fn scaled(function: &Manifest, cluster: &Cluster) -> Value {
    let trigger = match cluster.queues {
        Some(queues) => queued(function, queues),
        None => json!({
            "type": "postgresql", "authenticationRef": {"name": PART_OF},
            "metadata": {"query": due(Some(&function.name)), "targetQueryValue": EACH},
        }),
    };
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": about(&function.name),
        "spec": {
            "scaleTargetRef": {"name": function.name}, "minReplicaCount": 1, "maxReplicaCount": 10, "pollingInterval": 5,
            "triggers": [trigger],
        },
    })
}

/// By what waits in its queue and what is taken and not done, which is what SQS tells.
fn queued(function: &Manifest, queues: &Queues) -> Value {
    let address = &queues.address;
    json!({
        "type": "aws-sqs-queue", "authenticationRef": {"name": OF_QUEUES},
        "metadata": {
            "queueURL": address.url.replace(CONSUMER, &function.name), "queueLength": EACH, "awsRegion": address.region,
            "awsEndpoint": address.endpoint.to_string().trim_end_matches('/'),
        },
    })
}

/// The outbox is emptied as soon as something lies in it, instead of each minute: into the queues, where there are some.
pub(super) fn scaled_job(function: &Manifest, cluster: &Cluster) -> Value {
    let mut topics: Vec<String> =
        cluster.functions.iter().flat_map(|it| it.topics.iter().map(|topic| format!("'{topic}'"))).collect();
    topics.sort_unstable();
    topics.dedup();
    // What nobody wants waits for somebody who does, and wakes nobody.
    let wanted = topics.join(", ");
    let fresh = format!("(select count(*) from outbox where fanned_out_at is null and kind in ({wanted}))");
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "metadata": about(&function.name),
        "spec": {
            "jobTargetRef": job(function, cluster), "pollingInterval": 5, "maxReplicaCount": 3,
            "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 3,
            "triggers": [{
                "type": "postgresql", "authenticationRef": {"name": PART_OF},
                "metadata": {"query": format!("select {fresh} + ({})", due(None)), "targetQueryValue": "500"},
            }],
        },
    })
}
