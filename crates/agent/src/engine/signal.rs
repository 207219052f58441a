//! The image's STOPSIGNAL as a number, in all the forms Docker takes: `SIGQUIT`, `QUIT`, `3`, `SIGRTMIN+3`.

use workload::Image;

pub const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const SIGRTMIN: i32 = 34;
const SIGRTMAX: i32 = 64;

/// Linux's names, by number from 1.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT",
    "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// What cannot be understood is SIGTERM, as in Docker.
pub fn stop_signal(image: Option<&Image>) -> i32 {
    image.and_then(|image| image.stop_signal.as_deref()).and_then(parse).unwrap_or(SIGTERM)
}

fn parse(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=SIGRTMAX).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    match name {
        "RTMIN" => Some(SIGRTMIN),
        "RTMAX" => Some(SIGRTMAX),
        "IOT" => Some(6),
        "POLL" => Some(29),
        _ => real_time(name).or_else(|| NAMES.iter().position(|n| *n == name).map(|i| i as i32 + 1)),
    }
}

fn real_time(name: &str) -> Option<i32> {
    let from_min = name.strip_prefix("RTMIN+").and_then(|n| n.parse().ok()).map(|n: i32| SIGRTMIN.saturating_add(n));
    let from_max = name.strip_prefix("RTMAX-").and_then(|n| n.parse().ok()).map(|n: i32| SIGRTMAX.saturating_sub(n));
    from_min.or(from_max).filter(|number| (SIGRTMIN..=SIGRTMAX).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_docker_takes() {
        let cases = [
            ("SIGTERM", 15),
            ("term", 15),
            ("SIGQUIT", 3),
            ("9", 9),
            ("64", 64),
            ("SIGRTMIN+3", 37),
            ("RTMAX-1", 63),
            ("SIGSYS", 31),
            ("WINCH", 28),
            ("nonsense", 15),
            ("0", 15),
            ("65", 15),
            ("RTMIN+31", 15),
        ];
        for (text, number) in cases {
            let image = Image { stop_signal: Some(text.into()), ..Image::default() };
            assert_eq!(stop_signal(Some(&image)), number, "{text}");
        }
        assert_eq!(stop_signal(None), SIGTERM);
    }
}
