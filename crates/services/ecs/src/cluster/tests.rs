use super::{Cluster, find};
use crate::testing::{Plane, scope};
use base::limits::CLUSTERS_PER_ACCOUNT;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

fn check(answer: &Value, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(answer).unwrap());
}

#[test]
fn a_new_cluster_has_every_member() {
    check(
        &Plane::new().ok("CreateCluster", json!({})),
        expect![[r#"
        {
          "cluster": {
            "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
            "clusterName": "default",
            "status": "ACTIVE",
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": 0,
            "pendingTasksCount": 0,
            "activeServicesCount": 0,
            "statistics": [],
            "tags": [],
            "settings": [
              {
                "name": "containerInsights",
                "value": "disabled"
              }
            ],
            "capacityProviders": [],
            "defaultCapacityProviderStrategy": []
          }
        }"#]],
    );
}

#[test]
fn making_a_cluster_twice_answers_the_first() {
    let mut plane = Plane::new();
    let first = plane.ok("CreateCluster", json!({"clusterName": "prod", "tags": [{"key": "a", "value": "b"}]}));
    let second = plane
        .ok("CreateCluster", json!({"clusterName": "prod", "settings": [{"name": "containerInsights", "value": "enabled"}]}));
    assert_eq!(first, second);
}

#[test]
fn what_is_described_is_what_is_asked_for() {
    let mut plane = Plane::with_node();
    plane.define("web", json!({"containerDefinitions": [{"name": "app", "image": "i", "memory": 8, "cpu": 8}]}));
    plane.ok("RunTask", json!({"taskDefinition": "web"}));
    plane.ok("CreateCluster", json!({"clusterName": "prod", "tags": [{"key": "a", "value": "b"}]}));
    let plain = plane.ok("DescribeClusters", json!({"clusters": ["prod", "arn:aws:ecs:us-east-1:123456789012:cluster/dev"]}));
    check(
        &plain,
        expect![[r#"
        {
          "clusters": [
            {
              "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/prod",
              "clusterName": "prod",
              "status": "ACTIVE",
              "registeredContainerInstancesCount": 0,
              "runningTasksCount": 0,
              "pendingTasksCount": 0,
              "activeServicesCount": 0,
              "statistics": [],
              "tags": [],
              "settings": [],
              "capacityProviders": [],
              "defaultCapacityProviderStrategy": []
            }
          ],
          "failures": [
            {
              "arn": "arn:aws:ecs:us-east-1:123456789012:cluster/dev",
              "reason": "MISSING"
            }
          ]
        }"#]],
    );
    let all = plane.ok("DescribeClusters", json!({"include": ["SETTINGS", "STATISTICS", "TAGS", "CONFIGURATIONS"]}));
    let counts = ["registeredContainerInstancesCount", "pendingTasksCount", "runningTasksCount"]
        .map(|name| all["clusters"][0][name].clone());
    assert_eq!(counts, [1, 1, 0]);
    check(
        &all["clusters"][0]["statistics"][3],
        expect![[r#"
        {
          "name": "pendingEC2TasksCount",
          "value": "1"
        }"#]],
    );
}

#[test]
fn settings_and_configurations_are_changed() {
    let mut plane = Plane::new();
    plane.ok("CreateCluster", json!({"clusterName": "prod"}));
    let answer = plane.ok(
        "UpdateCluster",
        json!({
            "cluster": "prod", "serviceConnectDefaults": {"namespace": "n"},
            "configuration": {"executeCommandConfiguration": {"logging": "NONE"}},
        }),
    );
    let answer = [&answer["cluster"]["configuration"], &answer["cluster"]["serviceConnectDefaults"]];
    assert_eq!(answer, [&json!({"executeCommandConfiguration": {"logging": "NONE"}}), &json!({"namespace": "n"})]);
    let settings = json!([{"name": "containerInsights", "value": "enhanced"}]);
    let answer = plane.ok("UpdateClusterSettings", json!({"cluster": "prod", "settings": settings}));
    assert_eq!(answer["cluster"]["settings"], settings);
}

#[test]
fn strategies_are_over_the_clusters_own_providers() {
    let mut plane = Plane::new();
    plane.ok("CreateCluster", json!({"clusterName": "prod"}));
    let put = |providers: Value, strategy: Value| json!({"cluster": "prod", "capacityProviders": providers, "defaultCapacityProviderStrategy": strategy});
    let answer =
        plane.ok("PutClusterCapacityProviders", put(json!(["FARGATE"]), json!([{"capacityProvider": "FARGATE", "weight": 1}])));
    assert_eq!(
        answer["cluster"]["defaultCapacityProviderStrategy"],
        json!([{"capacityProvider": "FARGATE", "weight": 1, "base": 0}])
    );
    let both = json!([{"capacityProvider": "FARGATE", "base": 1}, {"capacityProvider": "FARGATE_SPOT", "base": 1}]);
    let refused = [
        plane.refused("PutClusterCapacityProviders", put(json!(["mine"]), json!([]))),
        plane.refused("PutClusterCapacityProviders", put(json!(["FARGATE"]), both.clone())),
        plane.refused("PutClusterCapacityProviders", put(json!(["FARGATE", "FARGATE_SPOT"]), both)),
    ];
    check(
        &json!(refused),
        expect![[r#"
        [
          "ClientException: The specified capacity provider was not found. Specify a valid name or ARN and try again.",
          "InvalidParameterException: The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.",
          "InvalidParameterException: The specified capacity provider strategy contains multiple capacity providers with a base value defined. Only one capacity provider per strategy can have a base value defined."
        ]"#]],
    );
}

#[test]
fn a_deleted_cluster_is_inactive_until_it_is_made_again() {
    let mut plane = Plane::new();
    plane.ok("CreateCluster", json!({"clusterName": "prod", "tags": [{"key": "a", "value": "b"}]}));
    assert_eq!(plane.ok("DeleteCluster", json!({"cluster": "prod"}))["cluster"]["status"], "INACTIVE");
    assert_eq!(plane.ok("DescribeClusters", json!({"clusters": ["prod"]}))["clusters"][0]["status"], "INACTIVE");
    assert_eq!(plane.ok("ListClusters", json!({}))["clusterArns"], json!([]));
    assert_eq!(
        plane.refused("UpdateCluster", json!({"cluster": "prod"})),
        "ClusterNotFoundException: The referenced cluster was inactive."
    );
    assert_eq!(plane.ok("CreateCluster", json!({"clusterName": "prod"}))["cluster"]["tags"], json!([]));
}

#[test]
fn a_cluster_with_something_in_it_is_not_deleted() {
    let mut plane = Plane::with_node();
    plane.define("web", json!({"containerDefinitions": [{"name": "app", "image": "i", "memory": 8, "cpu": 8}]}));
    plane.ok("RunTask", json!({"taskDefinition": "web"}));
    let instances = plane.refused("DeleteCluster", json!({"cluster": "default"}));
    let instance = plane.ok("ListContainerInstances", json!({}))["containerInstanceArns"][0].clone();
    plane.ok("DeregisterContainerInstance", json!({"containerInstance": instance, "force": true}));
    let tasks = plane.refused("DeleteCluster", json!({"cluster": "default"}));
    check(
        &json!([instances, tasks]),
        expect![[r#"
        [
          "ClusterContainsContainerInstancesException: The Cluster cannot be deleted while Container Instances are active or draining.",
          "ClusterContainsTasksException: The Cluster cannot be deleted while Tasks are active."
        ]"#]],
    );
}

#[test]
fn names_are_refused_in_awss_words() {
    let mut plane = Plane::new();
    let mut refused = |operation: &str, body: Value| plane.refused(operation, body);
    let told = [
        refused("CreateCluster", json!({"clusterName": "a b"})),
        refused("DeleteCluster", json!({"cluster": "a b"})),
        refused("DeleteCluster", json!({"cluster": "none"})),
        refused("ListClusters", json!({"maxResults": 101})),
        refused("ListClusters", json!({"nextToken": "%"})),
        refused("CreateCluster", json!({"configuration": {"executeCommandConfiguration": {"logging": "OVERRIDE"}}})),
        refused("CreateCluster", json!({"configuration": {"executeCommandConfiguration": {"logConfiguration": {}}}})),
    ];
    check(
        &json!(told),
        expect![[r#"
        [
          "InvalidParameterException: ClusterName must match ^[a-zA-Z0-9\\-_]{1,255}$",
          "InvalidParameterException: Cluster must match ^[a-zA-Z0-9\\-_]{1,255}$, but was a b",
          "ClusterNotFoundException: Cluster not found.",
          "InvalidParameterException: maxResults must be between 1 and 100.",
          "InvalidParameterException: Invalid nextToken.",
          "InvalidParameterException: A CloudWatch log group name or S3 bucket name must be specified when overriding the default log configuration.",
          "InvalidParameterException: You must set logging to 'OVERRIDE' when you supply a log configuration."
        ]"#]],
    );
}

#[test]
fn a_strategy_is_over_fargate_or_over_groups_of_instances() {
    let mut plane = Plane::new();
    plane.ok("CreateCluster", json!({"clusterName": "prod"}));
    let group = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/a";
    plane.ok("CreateCapacityProvider", json!({"name": "mine", "autoScalingGroupProvider": {"autoScalingGroupArn": group}}));
    let put = |strategy: Value| json!({"cluster": "prod", "capacityProviders": ["FARGATE", "mine"], "defaultCapacityProviderStrategy": strategy});
    let item = |name: &str| json!({"capacityProvider": name, "weight": 1});
    plane.ok("PutClusterCapacityProviders", put(json!([item("mine")])));
    let refused = plane.refused("PutClusterCapacityProviders", put(json!([item("mine"), item("FARGATE")])));
    expect![[r#"InvalidParameterException: A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. Specify one or the other and try again."#]]
        .assert_eq(&refused);
}

#[test]
fn an_account_has_so_many_clusters() {
    let mut plane = Plane::new();
    plane.ok("CreateCluster", json!({"clusterName": "first"}));
    plane.write(|tx| {
        let first = find(tx, &scope(), Some("first")).expect("it was made").clone();
        (1..CLUSTERS_PER_ACCOUNT).for_each(|number| tx.put(Cluster { name: format!("c{number}"), ..first.clone() }));
    });
    let refused = plane.refused("CreateCluster", json!({"clusterName": "one-more"}));
    assert_eq!(refused, "ClientException: You've reached the limit on the number of clusters, which is 10000.");
    plane.ok("CreateCluster", json!({"clusterName": "first"}));
    plane.ok("DeleteCluster", json!({"cluster": "c7"}));
    plane.ok("CreateCluster", json!({"clusterName": "one-more"}));
}
