//! `awslogs-datetime-format`: a format of times becomes a pattern of lines that hold one, with the codes Docker's driver knows
//! (its documentation lists them). What stands between codes is part of the pattern as it is.

const CODES: [(char, &str); 19] = [
    ('a', "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"),
    ('A', "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"),
    ('w', "[0-6]"),
    ('d', "(?:0[1-9]|[12][0-9]|3[01])"),
    ('b', "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"),
    ('B', "(?:January|February|March|April|May|June|July|August|September|October|November|December)"),
    ('m', "(?:0[1-9]|1[0-2])"),
    ('Y', r"\d{4}"),
    ('y', r"\d{2}"),
    ('H', "(?:[01][0-9]|2[0-3])"),
    ('I', "(?:0[0-9]|1[0-2])"),
    ('p', "[AP]M"),
    ('M', "[0-5][0-9]"),
    ('S', "[0-5][0-9]"),
    ('L', r"\.\d{3}"),
    ('f', r"\d{6}"),
    ('z', r"[+-]\d{4}"),
    ('j', "(?:[0-2][0-9][0-9]|3[0-5][0-9]|36[0-6])"),
    ('Z', "[A-Z]{1,4}T"),
];

pub fn pattern(format: &str) -> String {
    let (mut pattern, mut characters) = (String::new(), format.chars());
    while let Some(character) = characters.next() {
        match character {
            '%' => characters.next().into_iter().for_each(|code| pattern.push_str(of(code))),
            other => pattern.push(other),
        }
    }
    pattern
}

fn of(code: char) -> &'static str {
    match CODES.iter().find(|(known, _)| *known == code) {
        Some((_, pattern)) => pattern,
        None if code == '%' => "%",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    #[test]
    fn lines_with_a_time_begin_an_event() {
        let cases = [
            (r"\[%b %d, %Y %H:%M:%S\]", "[May 01, 2017 19:00:01] An event", true),
            (r"\[%b %d, %Y %H:%M:%S\]", "[May 32, 2017 19:00:01] An event", false),
            (r"\[%b %d, %Y %H:%M:%S\]", "  at caller 7", false),
            ("^%Y-%m-%d %H:%M:%S%L", "2026-11-20 17:00:00.123 hello", true),
            ("^%Y-%m-%d", "x 2026-11-20", false),
            ("%A %I%p %Z", "Monday 09AM CEST", true),
            ("%j/%y %z", "366/26 +0200", true),
            ("%j/%y %z", "367/26 +0200", false),
            ("100%%", "100%", true),
        ];
        for (format, line, expected) in cases {
            assert_eq!(Regex::new(&pattern(format)).unwrap().is_match(line), expected, "{format} {line}");
        }
    }
}
