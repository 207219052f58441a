//! From RUNNING, or from wherever it is, to STOPPED.

use super::script::check;
use expect_test::expect;

#[test]
fn an_essential_exit_stops_the_rest() {
    check(
        "app!; db",
        "assign
         ready
         up db
         up app
         exit app 1
         exit db 131
         cleaned
         vanish",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.db; pull app; pull db; Activating[app:Pending db:Pending];
            ready -> start app; remember; start db; remember;
            up db -> Activating[app:Pending db:Running]; remember;
            up app -> Running[app:Running db:Running]; remember;
            exit app 1 -> remember; signal db 3; Stopping EssentialContainerExited[app:Stopped 1 db:Running]; remember; wake@30;
            exit db 131 -> remember; detach t.app; detach t.db; close; Stopping EssentialContainerExited[app:Stopped 1 db:Stopped 131];
            cleaned -> remember; Stopped EssentialContainerExited[app:Stopped 1 db:Stopped 131];
            vanish -> remember; nothing; remember;
        "#]],
    );
}

#[test]
fn an_exit_that_is_not_essential_changes_nothing() {
    check(
        "app!; job",
        "assign
         ready
         up job
         up app
         exit job 1",
        expect![[r#"
            assign -> remember; open; attach t.app; attach t.job; pull app; pull job; Activating[app:Pending job:Pending];
            ready -> start app; remember; start job; remember;
            up job -> Activating[app:Pending job:Running]; remember;
            up app -> Running[app:Running job:Running]; remember;
            exit job 1 -> remember; Running[app:Running job:Stopped 1];
        "#]],
    );
}

#[test]
fn containers_stop_in_reverse_order() {
    check(
        "a!; b! after=a:START; c! after=b:START",
        "assign
         ready
         up a
         up b
         up c
         stop
         exit c 0
         exit b 0
         exit a 0
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.a; attach t.b; attach t.c; pull a; pull b; pull c; Activating[a:Pending b:Pending c:Pending];
            ready -> start a; remember; remember; remember;
            up a -> start b; Activating[a:Running b:Pending c:Pending]; remember;
            up b -> start c; Activating[a:Running b:Running c:Pending]; remember;
            up c -> Running[a:Running b:Running c:Running]; remember;
            stop -> remember; signal c 3; Stopping Asked[a:Running b:Running c:Running]; remember; wake@30;
            exit c 0 -> remember; signal b 3; Stopping Asked[a:Running b:Running c:Stopped 0]; remember;
            exit b 0 -> remember; signal a 3; Stopping Asked[a:Running b:Stopped 0 c:Stopped 0]; remember;
            exit a 0 -> remember; detach t.a; detach t.b; detach t.c; close; Stopping Asked[a:Stopped 0 b:Stopped 0 c:Stopped 0];
            cleaned -> remember; Stopped Asked[a:Stopped 0 b:Stopped 0 c:Stopped 0];
        "#]],
    );
}

#[test]
fn a_container_that_does_not_stop_is_killed() {
    check(
        "app! stop=5",
        "assign
         ready
         up app
         stop
         +4
         +1
         +10
         exit app 137
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            stop -> remember; signal app 3; Stopping Asked[app:Running]; remember; wake@5;
            +4 -> wake@5;
            +1 -> signal app 9; wake@15;
            +10 -> signal app 9; wake@25;
            exit app 137 -> remember; detach t.app; close; Stopping Asked[app:Stopped 137 OutOfMemoryError: Container killed due to memory usage];
            cleaned -> remember; Stopped Asked[app:Stopped 137 OutOfMemoryError: Container killed due to memory usage];
        "#]],
    );
}

#[test]
fn a_stop_during_the_pull_waits_for_nothing_that_holds_nothing() {
    check(
        "@host; app!",
        "assign
         open
         stop
         cleaned
         pull app",
        expect![[r#"
            assign -> remember; open; pull app; Activating[app:Pending];
            open ->
            stop -> remember; close; Stopping Asked[app:Stopped];
            cleaned -> remember; Stopped Asked[app:Stopped];
            pull app ->
        "#]],
    );
}

#[test]
fn what_is_being_made_is_awaited_and_undone() {
    check(
        "app!",
        "assign
         stop
         attach t.app
         open
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            stop -> remember; Stopping Asked[app:Stopped];
            attach t.app -> detach t.app;
            open -> close;
            cleaned -> remember; Stopped Asked[app:Stopped];
        "#]],
    );
    check(
        "app!",
        "assign
         ready
         stop
         up app
         exit app 0
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            stop -> remember; Stopping Asked[app:Pending];
            up app -> signal app 3; Stopping Asked[app:Running]; remember; wake@30;
            exit app 0 -> remember; detach t.app; close; Stopping Asked[app:Stopped 0];
            cleaned -> remember; Stopped Asked[app:Stopped 0];
        "#]],
    );
}

#[test]
fn a_cleanup_that_fails_is_repeated() {
    check(
        "@host; app!",
        "assign
         ready
         up app
         exit app 0
         cleaned busy?
         +5
         cleaned",
        expect![[r#"
            assign -> remember; open; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            exit app 0 -> remember; close; Stopping EssentialContainerExited[app:Stopped 0];
            cleaned busy? -> wake@5;
            +5 -> close;
            cleaned -> remember; Stopped EssentialContainerExited[app:Stopped 0];
        "#]],
    );
}

#[test]
fn a_task_assigned_as_stopped_never_begins() {
    check(
        "app!",
        "stop
         cleaned",
        expect![[r#"
            stop -> remember; close; Stopping Asked[app:Stopped];
            cleaned -> remember; Stopped Asked[app:Stopped];
        "#]],
    );
}

#[test]
fn a_task_that_is_assigned_no_more_is_stopped_and_forgotten() {
    check(
        "app!",
        "assign
         ready
         up app
         vanish
         exit app 0
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            vanish -> remember; signal app 3; Stopping Asked[app:Running]; remember; wake@30;
            exit app 0 -> remember; detach t.app; close; Stopping Asked[app:Stopped 0];
            cleaned -> remember; nothing; remember;
        "#]],
    );
}

#[test]
fn a_start_that_ends_at_once_was_running() {
    check(
        "app!",
        "assign
         ready
         flash app 0
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            flash app 0 -> remember; detach t.app; close; Stopping EssentialContainerExited[app:Stopped 0];
            cleaned -> remember; Stopped EssentialContainerExited[app:Stopped 0];
        "#]],
    );
}

#[test]
fn a_restart_policy_brings_a_container_back() {
    check(
        "app! restart=60/7",
        "assign
         ready
         up app
         +60 exit app 1
         removed
         up app
         +59 exit app 1",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            +60 exit app 1 -> remember; remove app; Running[app:Running restarts=1];
            removed -> restart app;
            up app -> Running[app:Running restarts=1]; remember;
            +59 exit app 1 -> remember; detach t.app; close; Stopping EssentialContainerExited[app:Stopped 1 restarts=1];
        "#]],
    );
    check(
        "app! restart=60/7",
        "assign
         ready
         up app
         +60 exit app 7",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            +60 exit app 7 -> remember; detach t.app; close; Stopping EssentialContainerExited[app:Stopped 7];
        "#]],
    );
}

#[test]
fn a_restart_that_fails_keeps_the_exit_of_the_run_before() {
    check(
        "app! restart=60",
        "assign
         ready
         up app
         +60 exit app 3
         removed
         up app cannot-start?",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            +60 exit app 3 -> remember; remove app; Running[app:Running restarts=1];
            removed -> restart app;
            up app cannot-start? -> remember; detach t.app; close; Stopping EssentialContainerExited[app:Stopped 3 restarts=1 Cannot: cannot-start];
        "#]],
    );
}

#[test]
fn a_task_that_stops_restarts_nothing() {
    check(
        "app! restart=60",
        "assign
         ready
         up app
         +60 exit app 1
         stop
         removed
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            +60 exit app 1 -> remember; remove app; Running[app:Running restarts=1];
            stop -> remember; Stopping Asked[app:Running restarts=1];
            removed -> remember; detach t.app; close; Stopping Asked[app:Stopped 1 restarts=1];
            cleaned -> remember; Stopped Asked[app:Stopped 1 restarts=1];
        "#]],
    );
}

#[test]
fn a_lost_sandbox_takes_its_containers_with_it() {
    check(
        "app!",
        "assign
         ready
         up app
         lost
         cleaned",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            lost -> remember; detach t.app; close; Stopping EssentialContainerExited[app:Stopped ContainerVanishedError: No container matching saved ID found];
            cleaned -> remember; Stopped EssentialContainerExited[app:Stopped ContainerVanishedError: No container matching saved ID found];
        "#]],
    );
}

#[test]
fn a_clock_that_is_set_back_makes_nobody_wait_for_it() {
    check(
        "app! stop=5 health=10/2/1/0",
        "assign
         ready
         up app
         -500
         +10
         healthy app
         stop
         -500
         +5
         exit app 137
         cleaned busy?
         -500
         +5",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember; wake@10;
            -500 -> wake@0;
            +10 -> probe app;
            healthy app -> Running[app:Running Healthy]; remember; wake@0;
            stop -> remember; signal app 3; Stopping Asked[app:Running Healthy]; remember; wake@0;
            -500 -> remember; wake@0;
            +5 -> signal app 9; wake@0;
            exit app 137 -> remember; detach t.app; close; Stopping Asked[app:Stopped 137 Healthy OutOfMemoryError: Container killed due to memory usage];
            cleaned busy? -> wake@0;
            -500 -> remember; wake@0;
            +5 -> detach t.app; close;
        "#]],
    );
}
