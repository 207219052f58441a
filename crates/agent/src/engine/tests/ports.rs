//! Ports that change hands.

use super::script::check;
use expect_test::expect;

#[test]
fn a_port_is_taken_once_who_had_it_has_let_go() {
    check(
        "app! port=80",
        "assign
         ready
         up app
         replace
         ready
         exit app 0
         cleaned
         ready",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            replace -> remember; open; pull app; signal app 3; Activating[app:Pending]; Stopping Asked[app:Running]; remember; wake@30;
            ready -> remember;
            exit app 0 -> remember; detach t.app; close; Activating[app:Pending]; Stopping Asked[app:Stopped 0];
            cleaned -> attach n.app; remember; Activating[app:Pending]; remember;
            ready -> start app;
        "#]],
    );
}

#[test]
fn who_lives_on_the_host_has_its_ports_until_it_has_ended() {
    check(
        "@host; app! port=80",
        "assign
         ready
         up app
         replace
         ready
         exit app 0",
        expect![[r#"
            assign -> remember; open; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            replace -> remember; open; pull app; signal app 3; Activating[app:Pending]; Stopping Asked[app:Running]; remember; wake@30;
            ready -> remember;
            exit app 0 -> remember; start app; close; Activating[app:Pending]; Stopping Asked[app:Stopped 0];
        "#]],
    );
}

#[test]
fn a_port_of_what_nobody_remembers_is_given_back_first() {
    check(
        "app! port=80",
        "assign
         ready
         up app
         forget
         crash
         replace
         ready
         cleaned
         ready",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            up app -> Running[app:Running]; remember;
            forget ->
            crash -> remember; detach t.app; close; nothing;
            replace -> remember; open; pull app; Activating[app:Pending];
            ready -> remember;
            cleaned -> attach n.app; remember; Activating[app:Pending]; remember;
            ready -> start app;
        "#]],
    );
}

#[test]
fn who_asks_for_other_ports_waits_for_nobody() {
    check(
        "app!",
        "assign
         ready
         replace",
        expect![[r#"
            assign -> remember; open; attach t.app; pull app; Activating[app:Pending];
            ready -> start app; remember;
            replace -> remember; open; attach n.app; pull app; Activating[app:Pending]; Stopping Asked[app:Pending];
        "#]],
    );
}
