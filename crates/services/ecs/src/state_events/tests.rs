use super::*;
use crate::testing::{Plane, scope};
use api_ecs::DeploymentRolloutState;
use base::Rng;
use base::limits::{STATE_EVENT_RETENTION_SECONDS, STATE_EVENTS};
use expect_test::{Expect, expect};
use std::time::Duration;

fn call(plane: &Plane) -> Call {
    Call::internal(plane.now, Rng::from_seed(1))
}

fn of(scope: &Scope) -> Of<'_> {
    Of { scope, cluster: "default", service_arn: "arn:aws:ecs:us-east-1:123456789012:service/default/web".into() }
}

/// `detail-type: detail`, its ARNs short.
fn check(tell: impl FnOnce(&mut Call, &mut Tx, Of<'_>) + Send + 'static, expected: Expect) {
    let mut plane = Plane::new();
    let mut call = call(&plane);
    plane.write(move |tx| tell(&mut call, tx, of(&scope())));
    let event = after(plane.core.image(), 0).next().unwrap();
    let told = format!("{}: {}", event.kind.as_str(), event.detail);
    expected.assert_eq(&told.replace("arn:aws:ecs:us-east-1:123456789012:", "~").replace(",\"", ",\n \""));
}

#[test]
fn an_event_is_delivered_in_the_envelope_of_eventbridge() {
    let mut plane = Plane::new();
    plane.now = base::Time(1_700_000_000_999);
    tell_many(&mut plane, 1);
    let event = after(plane.core.image(), 0).next().unwrap();
    expect![[r#"
        {
          "version": "0",
          "id": "f9681a64-d330-4861-b0f4-d125cc0d694a",
          "detail-type": "ECS Service Action",
          "source": "aws.ecs",
          "account": "123456789012",
          "time": "2023-11-14T22:13:20Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:ecs:us-east-1:123456789012:service/default/web"
          ],
          "detail": {
            "eventType": "INFO",
            "eventName": "SERVICE_STEADY_STATE",
            "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
            "createdAt": "2023-11-14T22:13:20.999Z"
          }
        }
    "#]]
    .assert_eq(&format!("{}\n", serde_json::to_string_pretty(&envelope(event)).unwrap()));
}

#[test]
fn a_service_tells_what_it_does() {
    let steady = |call: &mut Call, tx: &mut Tx, of: Of<'_>| {
        service_action(call, tx, of, Action::SteadyState, &ServiceAction::default());
    };
    check(
        steady,
        expect![[r#"
        ECS Service Action: {"eventType":"INFO",
         "eventName":"SERVICE_STEADY_STATE",
         "clusterArn":"~cluster/default",
         "createdAt":"2023-11-14T22:13:20.000Z"}"#]],
    );
    let more = ServiceAction {
        reason: Some("RESOURCE:CPU".into()),
        capacity_provider_arns: vec!["arn:aws:ecs:us-east-1:123456789012:capacity-provider/cp".into()],
        container_instance_arns: vec!["arn:aws:ecs:us-east-1:123456789012:container-instance/default/1".into()],
    };
    check(
        move |call, tx, of| service_action(call, tx, of, Action::TaskPlacementFailure, &more),
        expect![[r#"
        ECS Service Action: {"eventType":"ERROR",
         "eventName":"SERVICE_TASK_PLACEMENT_FAILURE",
         "capacityProviderArns":["~capacity-provider/cp"],
         "clusterArn":"~cluster/default",
         "containerInstanceArns":["~container-instance/default/1"],
         "reason":"RESOURCE:CPU",
         "createdAt":"2023-11-14T22:13:20.000Z"}"#]],
    );
}

#[test]
fn a_deployment_tells_how_it_goes_and_why() {
    let told = |state: DeploymentRolloutState, reason: &'static str| {
        move |call: &mut Call, tx: &mut Tx, of: Of<'_>| deployment_state_change(call, tx, of, "ecs-svc/123", &state, reason)
    };
    check(
        told(DeploymentRolloutState::InProgress, "ECS deployment ecs-svc/123 in progress."),
        expect![[r#"
        ECS Deployment State Change: {"eventType":"INFO",
         "eventName":"SERVICE_DEPLOYMENT_IN_PROGRESS",
         "deploymentId":"ecs-svc/123",
         "updatedAt":"2023-11-14T22:13:20.000Z",
         "reason":"ECS deployment ecs-svc/123 in progress."}"#]],
    );
    check(
        told(DeploymentRolloutState::Completed, "ECS deployment ecs-svc/123 completed."),
        expect![[r#"
        ECS Deployment State Change: {"eventType":"INFO",
         "eventName":"SERVICE_DEPLOYMENT_COMPLETED",
         "deploymentId":"ecs-svc/123",
         "updatedAt":"2023-11-14T22:13:20.000Z",
         "reason":"ECS deployment ecs-svc/123 completed."}"#]],
    );
    let broken = "ECS deployment circuit breaker: task failed to start.";
    check(
        told(DeploymentRolloutState::Failed, broken),
        expect![[r#"
        ECS Deployment State Change: {"eventType":"ERROR",
         "eventName":"SERVICE_DEPLOYMENT_FAILED",
         "deploymentId":"ecs-svc/123",
         "updatedAt":"2023-11-14T22:13:20.000Z",
         "reason":"ECS deployment circuit breaker: task failed to start."}"#]],
    );
}

fn tell_many(plane: &mut Plane, count: usize) {
    let mut call = call(plane);
    plane.write(move |tx| {
        for _ in 0..count {
            service_action(&mut call, tx, of(&scope()), Action::SteadyState, &ServiceAction::default());
        }
    });
}

/// The first and the last number, and how many there are.
fn kept(plane: &Plane) -> (u64, u64, usize) {
    let image = plane.core.image();
    (image.scan::<Event>().next().unwrap().sequence, newest(image), image.len::<Event>())
}

#[test]
fn numbers_follow_each_other_over_commits_and_restarts() {
    let mut plane = Plane::new();
    tell_many(&mut plane, 3);
    plane.restart();
    tell_many(&mut plane, 2);
    let numbers: Vec<u64> = after(plane.core.image(), 2).map(|event| event.sequence).collect();
    assert_eq!(numbers, [3, 4, 5]);
}

#[test]
fn only_so_many_events_are_kept() {
    let mut plane = Plane::new();
    tell_many(&mut plane, STATE_EVENTS);
    assert_eq!(kept(&plane), (1, STATE_EVENTS as u64, STATE_EVENTS));
    tell_many(&mut plane, 7);
    assert_eq!(kept(&plane), (8, STATE_EVENTS as u64 + 7, STATE_EVENTS));
}

#[test]
fn events_go_by_their_age_but_the_newest_stays() {
    let mut plane = Plane::new();
    let day = Duration::from_secs(STATE_EVENT_RETENTION_SECONDS);
    tell_many(&mut plane, 3);
    plane.pass(day / 2);
    tell_many(&mut plane, 2);
    plane.pass(day / 2 - Duration::from_millis(1));
    assert_eq!(kept(&plane), (1, 5, 5));
    assert_eq!(plane.core.next_wake(), Some(plane.now + Duration::from_millis(1)));
    plane.pass(Duration::from_millis(1));
    assert_eq!(kept(&plane), (4, 5, 2));
    plane.pass(day);
    assert_eq!(kept(&plane), (5, 5, 1));
    assert_eq!(plane.core.next_wake(), None);
    tell_many(&mut plane, 1);
    assert_eq!(kept(&plane), (6, 6, 1));
}
