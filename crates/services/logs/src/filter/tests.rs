use super::Filter;

/// Whether the pattern takes the message; `invalid` if it is none.
fn says(pattern: &str, message: &str) -> &'static str {
    match Filter::parse(pattern).map(|filter| filter.matches(message)) {
        Ok(true) => "yes",
        Ok(false) => "no",
        Err(_) => "invalid",
    }
}

fn check(cases: &[(&str, &str, &str)]) {
    for (pattern, message, expected) in cases {
        assert_eq!(says(pattern, message), *expected, "{pattern} on {message}");
    }
}

#[test]
fn terms() {
    check(&[
        ("", "anything", "yes"),
        ("ERROR", "[ERROR 400] BAD REQUEST", "yes"),
        ("ERROR", "[error 400]", "no"),
        ("ERROR ARGUMENTS", "ERROR MISSING ARGUMENTS", "yes"),
        ("ERROR ARGUMENTS", "ERROR", "no"),
        ("\"INTERNAL SERVER ERROR\"", "500 INTERNAL SERVER ERROR", "yes"),
        ("\"INTERNAL SERVER ERROR\"", "INTERNAL ERROR", "no"),
        (r#""a \"b\"""#, r#"say a "b""#, "yes"),
        ("?ERROR ?400", "400 BAD REQUEST", "yes"),
        ("?ERROR ?400", "200 OK", "no"),
        ("ERROR -ARGUMENTS", "ERROR 401 UNAUTHORIZED", "yes"),
        ("ERROR -ARGUMENTS", "ERROR INVALID ARGUMENTS", "no"),
        ("-debug", "info", "yes"),
        ("-\"a b\"", "a b", "no"),
        ("ERROR ?WARN", "ERROR", "yes"),
        ("%4\\d\\d%", "status 404", "yes"),
        ("%4\\d\\d%", "status 4x4", "no"),
        ("\"open", "open", "invalid"),
        ("%(%", "(", "invalid"),
        ("-", "-", "invalid"),
    ]);
}

#[test]
fn json_selectors() {
    let event = r#"{"status": 404, "latency": 1.5, "user": {"name": "alice", "ip": "10.0.0.7"}, "ok": true, "none": null,
        "tags": ["a", "b"], "list": [{"id": 1}, {"id": 2}], "a-b": "dash", "code": "0042", "text": "a \"q\" b"}"#;
    let cases = [
        ("{ $.status = 404 }", "yes"),
        ("{$.status=404}", "yes"),
        ("{ $.status = 4.04e2 }", "yes"),
        ("{ $.status = 4* }", "yes"),
        ("{ $.status != 404 }", "no"),
        ("{ $.status >= 400 && $.status < 500 }", "yes"),
        ("{ $.status > 404 || $.latency <= 1.5 }", "yes"),
        ("{ $.status = 1 || $.status = 2 }", "no"),
        ("{ ($.status = 1 || $.status = 404) && $.ok IS TRUE }", "yes"),
        ("{ $.status = 404 || $.status = 1 && $.status = 2 }", "yes"),
        ("{ $.user.name = \"alice\" }", "yes"),
        ("{ $.user.name = alice }", "yes"),
        ("{ $.user.name = al* }", "yes"),
        ("{ $.user.name = \"*ice\" }", "yes"),
        ("{ $.user.name = %^a.*e$% }", "yes"),
        ("{ $.user.name = bob }", "no"),
        ("{ $.user.name != bob }", "yes"),
        ("{ $.user.ip = 10.0.* }", "yes"),
        ("{ $.missing != bob }", "no"),
        ("{ $.missing NOT EXISTS }", "yes"),
        ("{ $.status NOT EXISTS }", "no"),
        ("{ $.ok IS TRUE }", "yes"),
        ("{ $.ok is false }", "no"),
        ("{ $.none IS NULL }", "yes"),
        ("{ $.missing IS NULL }", "no"),
        ("{ $.tags[1] = b }", "yes"),
        ("{ $.tags[2] = b }", "no"),
        ("{ $.tags[*] = b }", "yes"),
        ("{ $.list[1].id = 2 }", "yes"),
        ("{ $.list[*].id = 3 }", "no"),
        ("{ $.a-b = dash }", "yes"),
        ("{ $.['a-b'] = dash }", "invalid"),
        ("{ $['a-b'] = dash }", "yes"),
        ("{ $.code = \"0042\" }", "yes"),
        (r#"{ $.text = "a \"q\" b" }"#, "yes"),
        ("{ $.user = alice }", "no"),
        ("{ $.status = }", "invalid"),
        ("{ $.status }", "invalid"),
        ("{ $.status > x }", "invalid"),
        ("{ status = 1 }", "invalid"),
        ("{ $.status = 1", "invalid"),
        ("{ $.status = 1 } x", "invalid"),
        ("{ ($.status = 1 }", "invalid"),
        ("{ $.ok IS MAYBE }", "invalid"),
        ("{}", "invalid"),
    ];
    check(&cases.map(|(pattern, expected)| (pattern, event, expected)));
    check(&[("{ $.a = 1 }", "not json", "no"), ("{ $.a = 1 }", "[1]", "no")]);
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(500), ")".repeat(500));
    check(&[(&deep, event, "invalid")]);
}

#[test]
fn space_delimited_fields() {
    let event = r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;
    let cases = [
        ("[ip, id, user, time, request, status, size]", "yes"),
        ("[ip, id, user, time, request, status]", "no"),
        ("[ip, id, user, time, request, status, size, more]", "no"),
        ("[ip, id, user, time, request, status=404, size]", "yes"),
        ("[ip, id, user, time, request, status=4*, size>1000]", "yes"),
        ("[ip, id, user, time, request, status=2*, size]", "no"),
        ("[ip, ..., status = 404, size]", "yes"),
        ("[..., status = 500 || status = 404, size]", "yes"),
        ("[..., size > 1000 && size < 1500]", "no"),
        ("[..., request = \"GET *\", status, size]", "yes"),
        ("[..., request = %index%, status, size]", "yes"),
        ("[ip = 127.*, ...]", "yes"),
        ("[ip != 127.0.0.1, ...]", "no"),
        ("[..., user > 3, time, request, status, size]", "no"),
        ("[..., a, ..., b]", "invalid"),
        ("[]", "invalid"),
        ("[a", "invalid"),
        ("[a,]", "invalid"),
    ];
    check(&cases.map(|(pattern, expected)| (pattern, event, expected)));
}
