//! CPU and memory as clients write them: `1024`, `1 vCPU`, `.5 vcpu`; `2048`, `2GB`. Numbers only; what is allowed is `check`'s.

/// CPU units of `1024` or of `1 vCPU`; `None` if it is neither or not a whole number of units.
pub fn cpu_units(text: &str) -> Option<u32> {
    whole(text).or_else(|| scaled(text, "vcpu"))
}

/// MiB of `2048` or of `2 GB`.
pub fn memory_mib(text: &str) -> Option<u64> {
    whole(text).or_else(|| scaled(text, "gb")).map(u64::from)
}

fn whole(text: &str) -> Option<u32> {
    let text = text.trim();
    Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok())
}

/// A decimal number of `unit`, each of 1024.
fn scaled(text: &str, unit: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    let number = text.strip_suffix(unit)?.trim_end();
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let scaled = number.parse::<f64>().ok().filter(|_| plain)? * 1024.0;
    (scaled.fract() == 0.0 && scaled <= f64::from(u32::MAX)).then_some(scaled as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_units_or_vcpus() {
        let cases = [
            ("1024", Some(1024)),
            (" 256 ", Some(256)),
            ("1 vCPU", Some(1024)),
            (".5 vcpu", Some(512)),
            ("0.25vCPU", Some(256)),
            ("2.0 VCPU", Some(2048)),
            ("1.0001 vCPU", None),
            ("1.5", None),
            ("-1", None),
            ("+1", None),
            ("1e3 vCPU", None),
            ("inf vCPU", None),
            ("vCPU", None),
            ("1 GB", None),
            ("", None),
            ("99999999999", None),
            ("99999999999 vCPU", None),
        ];
        for (text, units) in cases {
            assert_eq!(cpu_units(text), units, "{text:?}");
        }
    }

    #[test]
    fn memory_is_mib_or_gb() {
        let cases =
            [("512", Some(512)), ("1GB", Some(1024)), ("0.5 gb", Some(512)), ("512MB", None), ("GB", None), ("1.5.1GB", None)];
        for (text, mib) in cases {
            assert_eq!(memory_mib(text), mib, "{text:?}");
        }
    }
}
