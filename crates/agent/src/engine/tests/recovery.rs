//! The agent dies and comes back: nothing is started twice, nothing is lost.

use super::script::check;
use crate::engine::*;
use expect_test::expect;

#[test]
fn what_runs_is_adopted() {
    check(
        "app! health=10/2/1/0; db",
        "assign
         ready
         up db
         up app
         +10
         healthy app
         crash
         +10
         healthy app",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.db; pull app; pull db; Activating[app:Pending db:Pending];
            ready -> start app; remember; start db; remember;
            up db -> Activating[app:Pending db:Running]; remember;
            up app -> Running[app:Running db:Running]; remember; wake@10;
            +10 -> probe app;
            healthy app -> Running[app:Running Healthy db:Running]; remember; wake@20;
            crash -> Running[app:Running Healthy db:Running]; wake@20;
            +10 -> probe app;
            healthy app -> wake@30;
        "#]],
    );
}

/// What was said in a session that broke is lost, and nothing else may have happened since.
#[test]
fn a_set_that_is_sent_again_is_answered_again() {
    let mut engine = Engine::new();
    engine.handle(Time(0), Event::Recovered(Inventory::default()));
    let mut reports = |generation| {
        let effects = engine.handle(Time(0), Event::Assigned(Assign { generation, tasks: vec![] }));
        effects.iter().filter(|effect| matches!(effect, Effect::Report(_))).count()
    };
    assert_eq!([5, 5, 4].map(&mut reports), [1, 1, 0]);
}

#[test]
fn an_exit_that_happened_meanwhile_is_an_exit() {
    check(
        "app!; db",
        "assign
         ready
         up db
         up app
         silent app 3
         crash
         exit db 0
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.db; pull app; pull db; Activating[app:Pending db:Pending];
            ready -> start app; remember; start db; remember;
            up db -> Activating[app:Pending db:Running]; remember;
            up app -> Running[app:Running db:Running]; remember;
            silent app 3 ->
            crash -> remember; signal db 3; Stopping EssentialContainerExited[app:Stopped 3 db:Running]; remember; wake@30;
            exit db 0 -> remember; detach t.app; detach t.db; close; Stopping EssentialContainerExited[app:Stopped 3 db:Stopped 0];
            cleaned -> remember; Stopped EssentialContainerExited[app:Stopped 3 db:Stopped 0];
        "#]],
    );
}

#[test]
fn what_was_begun_is_begun_again() {
    check(
        "app!",
        "assign
         crash
         ready
         crash
         ready
         up app",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            crash -> open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            crash -> open; Activating[app:Pending];
            ready -> start app;
            up app -> Running[app:Running]; remember;
        "#]],
    );
}

#[test]
fn a_container_that_is_gone_has_ended() {
    check(
        "app!; db",
        "assign
         ready
         up db
         up app
         lost
         crash",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.db; pull app; pull db; Activating[app:Pending db:Pending];
            ready -> start app; remember; start db; remember;
            up db -> Activating[app:Pending db:Running]; remember;
            up app -> Running[app:Running db:Running]; remember;
            lost -> remember; detach t.app; detach t.db; close; Stopping EssentialContainerExited[app:Stopped ContainerVanishedError: No container matching saved ID found db:Stopped ContainerVanishedError: No container matching saved ID found];
            crash -> detach t.app; detach t.db; close; Stopping EssentialContainerExited[app:Stopped ContainerVanishedError: No container matching saved ID found db:Stopped ContainerVanishedError: No container matching saved ID found];
        "#]],
    );
}

#[test]
fn a_stop_goes_on_with_its_deadline() {
    check(
        "app! stop=10",
        "assign
         ready
         up app
         stop
         +4 crash
         +6
         exit app 137
         crash
         cleaned
         crash
         vanish",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            stop -> remember; signal app 3; Stopping Asked[app:Running]; remember; wake@10;
            +4 crash -> Stopping Asked[app:Running]; wake@10;
            +6 -> signal app 9; wake@20;
            exit app 137 -> remember; detach t.app; close; Stopping Asked[app:Stopped 137 OutOfMemoryError: Container killed due to memory usage];
            crash -> detach t.app; close; Stopping Asked[app:Stopped 137 OutOfMemoryError: Container killed due to memory usage];
            cleaned -> remember; Stopped Asked[app:Stopped 137 OutOfMemoryError: Container killed due to memory usage];
            crash -> Stopped Asked[app:Stopped 137 OutOfMemoryError: Container killed due to memory usage];
            vanish -> remember; nothing; remember;
        "#]],
    );
}

#[test]
fn a_failed_task_does_not_try_again() {
    check(
        "app!",
        "assign
         pull app not-found?
         crash
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            pull app not-found? -> remember; Stopping FailedToStart("Cannot: not-found")[app:Stopped Cannot: not-found];
            crash -> close; Stopping FailedToStart("Cannot: not-found")[app:Stopped Cannot: not-found];
            cleaned -> remember; Stopped FailedToStart("Cannot: not-found")[app:Stopped Cannot: not-found];
        "#]],
    );
}

#[test]
fn a_restart_goes_on_where_it_was() {
    check(
        "app! restart=1",
        "assign
         ready
         up app
         +1 exit app 1
         crash
         removed
         ready
         crash
         ready
         up app",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            +1 exit app 1 -> remember; remove app; Running[app:Running restarts=1];
            crash -> remove app; Running[app:Running restarts=1];
            removed -> open;
            ready -> restart app;
            crash -> open; Running[app:Running restarts=1];
            ready -> restart app;
            up app -> Running[app:Running restarts=1]; remember;
        "#]],
    );
}

/// The plane may hear of a machine's end long after the machine has booted again.
#[test]
fn what_died_with_its_machine_is_not_started_by_a_set_of_before() {
    check(
        "app!",
        "assign
         ready
         up app
         die
         cleaned
         assign
         vanish",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            die -> remember; close; Stopping Asked[app:Stopped ContainerVanishedError: No container matching saved ID found];
            cleaned -> remember; Stopped Asked[app:Stopped ContainerVanishedError: No container matching saved ID found];
            assign -> remember; Stopped Asked[app:Stopped ContainerVanishedError: No container matching saved ID found];
            vanish -> remember; nothing; remember;
        "#]],
    );
}
