use crate::testing::Plane;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

fn check(answer: &Value, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(answer).unwrap());
}

fn group() -> Value {
    json!({"autoScalingGroupArn": "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/g"})
}

#[test]
fn a_provider_is_made_changed_and_deleted() {
    let mut plane = Plane::new();
    let body = json!({"name": "mine", "autoScalingGroupProvider": group(), "tags": [{"key": "a", "value": "b"}]});
    check(
        &plane.ok("CreateCapacityProvider", body),
        expect![[r#"
            {
              "capacityProvider": {
                "capacityProviderArn": "arn:aws:ecs:us-east-1:123456789012:capacity-provider/mine",
                "name": "mine",
                "status": "ACTIVE",
                "autoScalingGroupProvider": {
                  "autoScalingGroupArn": "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/g",
                  "managedScaling": {
                    "status": "DISABLED",
                    "targetCapacity": 100,
                    "minimumScalingStepSize": 1,
                    "maximumScalingStepSize": 10000,
                    "instanceWarmupPeriod": 300
                  },
                  "managedTerminationProtection": "DISABLED",
                  "managedDraining": "ENABLED"
                },
                "tags": [
                  {
                    "key": "a",
                    "value": "b"
                  }
                ],
                "type": "EC2_AUTOSCALING"
              }
            }"#]],
    );
    let update = json!({"managedScaling": {"status": "ENABLED", "targetCapacity": 50}, "managedDraining": "DISABLED"});
    let answer = plane.ok("UpdateCapacityProvider", json!({"name": "mine", "autoScalingGroupProvider": update}));
    check(
        &answer["capacityProvider"]["autoScalingGroupProvider"],
        expect![[r#"
            {
              "autoScalingGroupArn": "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/g",
              "managedScaling": {
                "status": "ENABLED",
                "targetCapacity": 50,
                "minimumScalingStepSize": 1,
                "maximumScalingStepSize": 10000,
                "instanceWarmupPeriod": 300
              },
              "managedTerminationProtection": "DISABLED",
              "managedDraining": "DISABLED"
            }"#]],
    );
    plane.ok("DeleteCapacityProvider", json!({"capacityProvider": "mine"}));
    let answer = plane.ok("DescribeCapacityProviders", json!({"capacityProviders": ["mine", "FARGATE"], "include": ["TAGS"]}));
    check(
        &answer,
        expect![[r#"
        {
          "capacityProviders": [
            {
              "capacityProviderArn": "arn:aws:ecs:us-east-1:123456789012:capacity-provider/FARGATE",
              "name": "FARGATE",
              "status": "ACTIVE",
              "tags": [],
              "type": "FARGATE"
            }
          ],
          "failures": [
            {
              "arn": "arn:aws:ecs:us-east-1:123456789012:capacity-provider/mine",
              "reason": "MISSING"
            }
          ]
        }"#]],
    );
}

#[test]
fn the_built_in_ones_are_listed_with_the_others() {
    let mut plane = Plane::new();
    plane.ok("CreateCapacityProvider", json!({"name": "mine", "autoScalingGroupProvider": group()}));
    let answer = plane.ok("DescribeCapacityProviders", json!({}));
    let names: Vec<&Value> = answer["capacityProviders"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["FARGATE", "FARGATE_SPOT", "mine"]);
}

#[test]
fn providers_have_rules() {
    let mut plane = Plane::new();
    plane.ok("CreateCapacityProvider", json!({"name": "mine", "autoScalingGroupProvider": group()}));
    plane.ok("CreateCluster", json!({"capacityProviders": ["mine"]}));
    let mut scaled = group();
    scaled["managedScaling"] = json!({"minimumScalingStepSize": 5, "maximumScalingStepSize": 2});
    let told = [
        plane.refused("CreateCapacityProvider", json!({"name": "ecs-mine", "autoScalingGroupProvider": group()})),
        plane.refused("CreateCapacityProvider", json!({"name": "mine", "autoScalingGroupProvider": group()})),
        plane.refused("CreateCapacityProvider", json!({"name": "other", "autoScalingGroupProvider": scaled})),
        plane.refused("CreateCapacityProvider", json!({"name": "other"})),
        plane.refused(
            "CreateCapacityProvider",
            json!({"name": "other", "autoScalingGroupProvider": {"autoScalingGroupArn": "g"}}),
        ),
        plane.refused("DeleteCapacityProvider", json!({"capacityProvider": "mine"})),
        plane.refused("DeleteCapacityProvider", json!({"capacityProvider": "FARGATE"})),
        plane.refused("UpdateCapacityProvider", json!({"name": "none"})),
    ];
    check(
        &json!(told),
        expect![[r#"
            [
              "InvalidParameterException: The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters (upper and lowercase), numbers, underscores, and hyphens. The name cannot be prefixed with \"aws\", \"ecs\", or \"fargate\". Specify a valid name and try again.",
              "ClientException: A capacity provider with the specified name already exists. Specify a different name and try again.",
              "InvalidParameterException: The minimum or maximum scaling step size value is invalid. Specify a minimum scaling step size value that is less than or equal to the maximum scaling step size value and try again.",
              "UnsupportedFeatureException: Capacity providers other than those of an Auto Scaling group are not supported by this server yet.",
              "ClientException: The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique Auto Scaling group ARN and try again.",
              "ClientException: The specified capacity provider is in use and cannot be removed. Disassociate it from every cluster and try again.",
              "ClientException: The specified capacity provider is reserved and cannot be changed.",
              "ClientException: The specified capacity provider was not found. Specify a valid name or ARN and try again."
            ]"#]],
    );
}
