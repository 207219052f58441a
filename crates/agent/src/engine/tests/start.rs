//! From an assignment to RUNNING, and the ways it does not get there.

use super::script::check;
use expect_test::expect;

#[test]
fn everything_is_prepared_at_once_and_remembered_first() {
    check(
        "@volume; app!",
        "assign
         ready
         up app",
        expect![[r#"
            assign -> remember; open; volumes; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
        "#]],
    );
}

#[test]
fn a_task_runs_when_all_have_started() {
    check(
        "app!; db",
        "assign
         ready
         up db
         up app",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.db; pull app; pull db; Activating[app:Pending db:Pending];
            ready -> start app; remember; start db; remember;
            up db -> Activating[app:Pending db:Running]; remember;
            up app -> Running[app:Running db:Running]; remember;
        "#]],
    );
}

#[test]
fn a_container_waits_for_success() {
    check(
        "app! after=init:SUCCESS; init",
        "assign
         ready
         up init
         exit init 0
         up app",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.init; pull app; pull init; Activating[app:Pending init:Pending];
            ready -> remember; start init; remember;
            up init -> Activating[app:Pending init:Running]; remember;
            exit init 0 -> remember; start app; Activating[app:Pending init:Stopped 0];
            up app -> Running[app:Running init:Stopped 0]; remember;
        "#]],
    );
}

#[test]
fn a_dependency_that_fails_keeps_the_task_from_starting() {
    check(
        "app! after=init:SUCCESS; init",
        "assign
         ready
         up init
         exit init 3
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.init; pull app; pull init; Activating[app:Pending init:Pending];
            ready -> remember; start init; remember;
            up init -> Activating[app:Pending init:Running]; remember;
            exit init 3 -> remember; detach t.app; detach t.init; close; Stopping FailedToStart("CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [init] for target [app] as dependency did not exit successfully")[app:Stopped 143 CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [init] for target [app] as dependency did not exit successfully init:Stopped 3];
            cleaned -> remember; Stopped FailedToStart("CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [init] for target [app] as dependency did not exit successfully")[app:Stopped 143 CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [init] for target [app] as dependency did not exit successfully init:Stopped 3];
        "#]],
    );
}

#[test]
fn a_container_waits_for_health() {
    check(
        "app! after=db:HEALTHY; db! health=5/2/2/0",
        "assign
         ready
         up db
         +5
         healthy db
         up app",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.db; pull app; pull db; Activating[app:Pending db:Pending];
            ready -> remember; start db; remember;
            up db -> Activating[app:Pending db:Running]; remember; wake@5;
            +5 -> probe db;
            healthy db -> start app; Activating[app:Pending db:Running Healthy]; remember; wake@10;
            up app -> Running[app:Running db:Running Healthy]; remember;
        "#]],
    );
}

#[test]
fn an_unhealthy_dependency_is_the_end_of_waiting() {
    check(
        "app! after=db:HEALTHY; db! health=5/2/2/0",
        "assign
         ready
         up db
         +5
         sick db
         +5
         sick db",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.db; pull app; pull db; Activating[app:Pending db:Pending];
            ready -> remember; start db; remember;
            up db -> Activating[app:Pending db:Running]; remember; wake@5;
            +5 -> probe db;
            sick db -> wake@10;
            +5 -> probe db;
            sick db -> remember; signal db 3; Stopping FailedToStart("CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [db] for target [app] as dependency is unhealthy")[app:Stopped 143 CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [db] for target [app] as dependency is unhealthy db:Running Unhealthy]; remember; wake@40;
        "#]],
    );
}

#[test]
fn start_timeout_runs_from_the_start_of_the_dependency() {
    check(
        "app! after=init:COMPLETE; init start=20",
        "assign
         ready
         +100 up init
         +20
         exit init 0
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.init; pull app; pull init; Activating[app:Pending init:Pending];
            ready -> remember; start init; remember;
            +100 up init -> Activating[app:Pending init:Running]; remember; wake@120;
            +20 -> remember; signal init 3; Stopping FailedToStart("CannotStartContainerError: dependency graph: container ordering dependency [init] for target [app] has timed out.")[app:Stopped 143 CannotStartContainerError: dependency graph: container ordering dependency [init] for target [app] has timed out. init:Running]; remember; wake@150;
            exit init 0 -> remember; detach t.app; detach t.init; close; Stopping FailedToStart("CannotStartContainerError: dependency graph: container ordering dependency [init] for target [app] has timed out.")[app:Stopped 143 CannotStartContainerError: dependency graph: container ordering dependency [init] for target [app] has timed out. init:Stopped 0];
            cleaned -> remember; Stopped FailedToStart("CannotStartContainerError: dependency graph: container ordering dependency [init] for target [app] has timed out.")[app:Stopped 143 CannotStartContainerError: dependency graph: container ordering dependency [init] for target [app] has timed out. init:Stopped 0];
        "#]],
    );
}

#[test]
fn a_linked_container_has_to_run() {
    check(
        "app! links=db:database; db",
        "assign
         ready
         up db
         up app",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.db; pull app; pull db; Activating[app:Pending db:Pending];
            ready -> remember; start db; remember;
            up db -> start app; Activating[app:Pending db:Running]; remember;
            up app -> Running[app:Running db:Running]; remember;
        "#]],
    );
    check(
        "app! links=db:database after=init:COMPLETE; db; init",
        "assign
         ready
         up db
         up init
         exit db 1
         exit init 0",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.db; attach t.init; pull app; pull db; pull init; Activating[app:Pending db:Pending init:Pending];
            ready -> remember; start db; remember; start init; remember;
            up db -> Activating[app:Pending db:Running init:Pending]; remember;
            up init -> Activating[app:Pending db:Running init:Running]; remember;
            exit db 1 -> remember; signal init 3; Stopping FailedToStart("CannotCreateContainerError: Error response from daemon: Cannot link to a non running container: /db AS /app/db")[app:Stopped 143 CannotCreateContainerError: Error response from daemon: Cannot link to a non running container: /db AS /app/db db:Stopped 1 init:Running]; remember; wake@30;
            exit init 0 -> remember; detach t.app; detach t.db; detach t.init; close; Stopping FailedToStart("CannotCreateContainerError: Error response from daemon: Cannot link to a non running container: /db AS /app/db")[app:Stopped 143 CannotCreateContainerError: Error response from daemon: Cannot link to a non running container: /db AS /app/db db:Stopped 1 init:Stopped 0];
        "#]],
    );
}

#[test]
fn volumes_may_come_from_one_that_ended() {
    check(
        "app! from=data; data",
        "assign
         ready
         flash data 0
         up app",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.data; pull app; pull data; Activating[app:Pending data:Pending];
            ready -> remember; start data; remember;
            flash data 0 -> remember; start app; Activating[app:Pending data:Stopped 0];
            up app -> Running[app:Running data:Stopped 0]; remember;
        "#]],
    );
}

#[test]
fn an_image_that_cannot_be_pulled_fails_the_task() {
    check(
        "app!; db",
        "assign
         pull app not-found?
         ready
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.db; pull app; pull db; Activating[app:Pending db:Pending];
            pull app not-found? -> remember; Stopping FailedToStart("Cannot: not-found")[app:Stopped Cannot: not-found db:Stopped];
            ready -> close; detach t.app; detach t.db;
            cleaned -> remember; Stopped FailedToStart("Cannot: not-found")[app:Stopped Cannot: not-found db:Stopped];
        "#]],
    );
}

#[test]
fn the_failure_of_a_container_that_is_not_essential_is_its_own() {
    check(
        "app!; log",
        "assign
         pull log not-found?
         ready
         up app",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.log; pull app; pull log; Activating[app:Pending log:Pending];
            pull log not-found? -> remember; Activating[app:Pending log:Stopped Cannot: not-found];
            ready -> start app; remember;
            up app -> Running[app:Running log:Stopped Cannot: not-found]; remember;
        "#]],
    );
    check(
        "app! after=log:START; log",
        "assign
         ready
         up log cannot-start?
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.log; pull app; pull log; Activating[app:Pending log:Pending];
            ready -> remember; start log; remember;
            up log cannot-start? -> remember; detach t.app; detach t.log; close; Stopping FailedToStart("CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [log] for target [app] because dependency will never start")[app:Stopped 143 CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [log] for target [app] because dependency will never start log:Stopped Cannot: cannot-start];
            cleaned -> remember; Stopped FailedToStart("CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [log] for target [app] because dependency will never start")[app:Stopped 143 CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [log] for target [app] because dependency will never start log:Stopped Cannot: cannot-start];
        "#]],
    );
    check(
        "app! after=log:START; log!",
        "assign
         ready
         up log cannot-start?",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.log; pull app; pull log; Activating[app:Pending log:Pending];
            ready -> remember; start log; remember;
            up log cannot-start? -> remember; detach t.app; detach t.log; close; Stopping FailedToStart("Cannot: cannot-start")[app:Stopped 143 CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [log] for target [app] because dependency will never start log:Stopped Cannot: cannot-start];
        "#]],
    );
}

#[test]
fn what_the_whole_task_needs_fails_the_whole_task() {
    check(
        "@awsvpc; app!",
        "assign
         attach t no-address?
         ready
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t; pull app; Activating[app:Pending];
            attach t no-address? -> remember; detach t; Stopping FailedToStart("Cannot: no-address")[app:Stopped];
            ready -> close;
            cleaned -> remember; Stopped FailedToStart("Cannot: no-address")[app:Stopped];
        "#]],
    );
    check(
        "@volume; @host; app!",
        "assign
         volumes no-space?
         ready
         cleaned",
        expect![[r#"
            assign -> remember; open; volumes; pull app; Activating[app:Pending];
            volumes no-space? -> remember; Stopping FailedToStart("Cannot: no-space")[app:Stopped];
            ready -> close;
            cleaned -> remember; Stopped FailedToStart("Cannot: no-space")[app:Stopped];
        "#]],
    );
}

#[test]
fn a_port_that_is_taken_fails_its_container() {
    check(
        "app!",
        "assign
         attach t.app port-taken?
         ready
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            attach t.app port-taken? -> remember; detach t.app; Stopping FailedToStart("Cannot: port-taken")[app:Stopped Cannot: port-taken];
            ready -> close;
            cleaned -> remember; Stopped FailedToStart("Cannot: port-taken")[app:Stopped Cannot: port-taken];
        "#]],
    );
}

#[test]
fn an_older_set_is_refused() {
    check(
        "app!",
        "assign
         ready
         up app
         older",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            older ->
        "#]],
    );
}

#[test]
fn a_container_that_never_started_is_not_complete() {
    check(
        "app! after=job:COMPLETE; job after=init:SUCCESS; init",
        "assign
         ready
         up init
         exit init 1",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.job; attach t.init; pull app; pull job; pull init; Activating[app:Pending job:Pending init:Pending];
            ready -> remember; remember; start init; remember;
            up init -> Activating[app:Pending job:Pending init:Running]; remember;
            exit init 1 -> remember; detach t.app; detach t.init; detach t.job; close; Stopping FailedToStart("CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [job] for target [app] because dependency will never start")[app:Stopped 143 CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [job] for target [app] because dependency will never start job:Stopped 143 CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [init] for target [job] as dependency did not exit successfully init:Stopped 1];
        "#]],
    );
}

#[test]
fn nothing_starts_before_what_it_refers_to_is_there_and_no_registry_is_asked_without_its_password() {
    check(
        "app! secret=s; db registry=r",
        "assign
         open
         attach t.app
         attach t.db
         pull app
         fetch
         pull db
         up app
         up db",
        expect![[r#"
            assign -> remember; open; fetch; attach t.app; attach t.db; pull app; Activating[app:Pending db:Pending];
            open ->
            attach t.app ->
            attach t.db ->
            pull app -> remember;
            fetch -> pull db; start app;
            pull db -> start db; remember;
            up app -> Activating[app:Running db:Pending]; remember;
            up db -> Running[app:Running db:Running]; remember;
        "#]],
    );
}

#[test]
fn what_cannot_be_fetched_stops_the_task() {
    check(
        "app! secret=s",
        "assign
         open
         attach t.app
         pull app
         fetch no-secret?
         cleaned",
        expect![[r#"
            assign -> remember; open; fetch; attach t.app; pull app; Activating[app:Pending];
            open ->
            attach t.app ->
            pull app -> remember;
            fetch no-secret? -> remember; detach t.app; close; Stopping FailedToStart("Cannot: no-secret")[app:Stopped];
            cleaned -> remember; Stopped FailedToStart("Cannot: no-secret")[app:Stopped];
        "#]],
    );
}

#[test]
fn secrets_are_fetched_again_for_a_restart_only() {
    check(
        "app! secret=s restart=60",
        "assign
         ready
         up app
         crash
         +61 exit app 1
         removed
         ready
         up app",
        expect![[r#"
            assign -> remember; open; fetch; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            crash -> Running[app:Running];
            +61 exit app 1 -> remember; remove app; Running[app:Running restarts=1];
            removed -> open; fetch;
            ready -> restart app;
            up app -> Running[app:Running restarts=1]; remember;
        "#]],
    );
}
