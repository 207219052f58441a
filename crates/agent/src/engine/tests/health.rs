//! Health as Docker keeps it.

use super::script::check;
use expect_test::expect;

#[test]
fn retries_failures_in_a_row_make_it_unhealthy_and_one_success_healthy() {
    check(
        "app! health=10/2/2/0",
        "assign
         ready
         up app
         +10
         sick app
         +10
         healthy app
         +10
         sick app
         +10
         sick app
         +10
         healthy app",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember; wake@10;
            +10 -> probe app;
            sick app -> wake@20;
            +10 -> probe app;
            healthy app -> Running[app:Running Healthy]; remember; wake@30;
            +10 -> probe app;
            sick app -> wake@40;
            +10 -> probe app;
            sick app -> Running[app:Running Unhealthy]; remember; wake@50;
            +10 -> probe app;
            healthy app -> Running[app:Running Healthy]; remember; wake@60;
        "#]],
    );
}

#[test]
fn failures_in_the_start_period_do_not_count() {
    check(
        "app! health=30/2/1/12",
        "assign
         ready
         up app
         +5
         sick app
         +5
         sick app
         +5
         sick app",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember; wake@5;
            +5 -> probe app;
            sick app -> wake@10;
            +5 -> probe app;
            sick app -> wake@15;
            +5 -> probe app;
            sick app -> Running[app:Running Unhealthy]; remember; wake@45;
        "#]],
    );
}

#[test]
fn a_success_ends_the_start_period() {
    check(
        "app! health=30/2/1/60",
        "assign
         ready
         up app
         +5
         healthy app
         +30
         sick app",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember; wake@5;
            +5 -> probe app;
            healthy app -> Running[app:Running Healthy]; remember; wake@35;
            +30 -> probe app;
            sick app -> Running[app:Running Unhealthy]; remember; wake@65;
        "#]],
    );
}

#[test]
fn a_restarted_container_is_unknown_again() {
    check(
        "app! health=10/2/1/0 restart=10",
        "assign
         ready
         up app
         +10
         healthy app
         exit app 1
         removed
         up app",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember; wake@10;
            +10 -> probe app;
            healthy app -> Running[app:Running Healthy]; remember; wake@20;
            exit app 1 -> remember; remove app; Running[app:Running Healthy restarts=1];
            removed -> restart app;
            up app -> Running[app:Running restarts=1]; remember;
        "#]],
    );
}
